/* SPDX-License-Identifier: MIT
 * Written by `python -m codegen` from `spec/machines/`. Change that, then run it again.
 *
 * One inline for each machine: it looks up the row of a state and an input, and gives the action and the next state.
 * A pair that has no row is a breach and stays in its state. `tests/spin/broker.pml` includes this file.
 */

/* Messages from a client with QoS 1 or 2. */
#define QOS_RECEIVE_FREE 0 /* No exchange of QoS 2 has this identifier. */
#define QOS_RECEIVE_HELD 1 /* The PUBREC was sent; the PUBREL is awaited. */
#define QOS_RECEIVE_ON_PUBLISH_QOS1 0 /* PUBLISH with QoS 1 that is accepted. */
#define QOS_RECEIVE_ON_PUBLISH_QOS2 1 /* PUBLISH with QoS 2 that is accepted. */
#define QOS_RECEIVE_ON_REFUSED_QOS1 2 /* PUBLISH with QoS 1 that is refused with a reason of 0x80 or above. */
#define QOS_RECEIVE_ON_REFUSED_QOS2 3 /* PUBLISH with QoS 2 that is refused with a reason of 0x80 or above. */
#define QOS_RECEIVE_ON_PUBREL 4 /* PUBREL, whatever its reason. */
#define QOS_RECEIVE_BREACH 0 /* The sender broke a rule, or the pair can't happen. */
#define QOS_RECEIVE_DO_DELIVER_PUBACK 1 /* Deliver the message and answer with a PUBACK. */
#define QOS_RECEIVE_DO_DELIVER_PUBREC 2 /* Deliver the message, keep the identifier, answer with a PUBREC. */
#define QOS_RECEIVE_DO_REFUSE_PUBACK 3 /* Deliver nothing; the PUBACK carries the reason (3.x: a plain one). */
#define QOS_RECEIVE_DO_REFUSE_PUBREC 4 /* Deliver nothing; the PUBREC carries the reason (3.x: a plain one). */
#define QOS_RECEIVE_DO_PUBREC 5 /* A repeat: answer with a PUBREC, deliver nothing. */
#define QOS_RECEIVE_DO_PUBCOMP 6 /* Free the identifier and answer with a PUBCOMP. */
#define QOS_RECEIVE_DO_PUBCOMP_NOT_FOUND 7 /* Answer with a PUBCOMP that says 0x92 (a plain one in 3.x). */
#define QOS_RECEIVE_DO_IN_USE 8 /* Deliver nothing; the PUBACK says 0x91. */
#define QOS_RECEIVE_DO_SILENT 9 /* Deliver nothing and answer nothing; no row of the standard does this. */

inline qos_receive_row(before, event, does, after)
{
	if
	:: (before) == QOS_RECEIVE_FREE && (event) == QOS_RECEIVE_ON_PUBLISH_QOS1 -> /* MQTT5-4.3.2-4, MQTT5-4.3.2-5, MQTT311-4.3.2-2 */
		does = QOS_RECEIVE_DO_DELIVER_PUBACK; after = QOS_RECEIVE_FREE
	:: (before) == QOS_RECEIVE_FREE && (event) == QOS_RECEIVE_ON_PUBLISH_QOS2 -> /* MQTT5-4.3.3-8, MQTT5-4.3.3-12, MQTT311-4.3.3-2 */
		does = QOS_RECEIVE_DO_DELIVER_PUBREC; after = QOS_RECEIVE_HELD
	:: (before) == QOS_RECEIVE_FREE && (event) == QOS_RECEIVE_ON_REFUSED_QOS1 -> /* MQTT5-3.4.2-1, MQTT311-3.3.5-2, X31-publish-unauthorized */
		does = QOS_RECEIVE_DO_REFUSE_PUBACK; after = QOS_RECEIVE_FREE
	:: (before) == QOS_RECEIVE_FREE && (event) == QOS_RECEIVE_ON_REFUSED_QOS2 -> /* MQTT5-3.5.2-1, MQTT5-4.3.3-9, MQTT311-3.3.5-2, X31-publish-unauthorized */
		does = QOS_RECEIVE_DO_REFUSE_PUBREC; after = QOS_RECEIVE_FREE
	:: (before) == QOS_RECEIVE_FREE && (event) == QOS_RECEIVE_ON_PUBREL -> /* MQTT5-4.3.3-11, MQTT5-3.7.2-1, MQTT311-4.3.3-2 */
		does = QOS_RECEIVE_DO_PUBCOMP_NOT_FOUND; after = QOS_RECEIVE_FREE
	:: (before) == QOS_RECEIVE_HELD && (event) == QOS_RECEIVE_ON_PUBLISH_QOS2 -> /* MQTT5-4.3.3-10, MQTT311-4.3.3-2 */
		does = QOS_RECEIVE_DO_PUBREC; after = QOS_RECEIVE_HELD
	:: (before) == QOS_RECEIVE_HELD && (event) == QOS_RECEIVE_ON_REFUSED_QOS2 -> /* MQTT5-4.3.3-10, MQTT311-4.3.3-2 */
		does = QOS_RECEIVE_DO_PUBREC; after = QOS_RECEIVE_HELD
	:: (before) == QOS_RECEIVE_HELD && (event) == QOS_RECEIVE_ON_PUBREL -> /* MQTT5-4.3.3-11, MQTT311-4.3.3-2 */
		does = QOS_RECEIVE_DO_PUBCOMP; after = QOS_RECEIVE_FREE
	:: (before) == QOS_RECEIVE_HELD && (event) == QOS_RECEIVE_ON_PUBLISH_QOS1 -> /* MQTT5-2.2.1-3, MQTT5-3.4.2-1, MQTT311-2.3.1-2 */
		does = QOS_RECEIVE_DO_IN_USE; after = QOS_RECEIVE_HELD
	:: (before) == QOS_RECEIVE_HELD && (event) == QOS_RECEIVE_ON_REFUSED_QOS1 -> /* MQTT5-2.2.1-3, MQTT5-3.4.2-1, MQTT311-2.3.1-2 */
		does = QOS_RECEIVE_DO_IN_USE; after = QOS_RECEIVE_HELD
	:: else -> does = QOS_RECEIVE_BREACH; after = before
	fi
}

/* Delivery to a client with QoS 1 or 2. */
#define QOS_SEND_IDLE 0 /* The packet identifier is not in use. */
#define QOS_SEND_AWAIT_PUBACK 1 /* A PUBLISH with QoS 1 was sent. */
#define QOS_SEND_AWAIT_PUBREC 2 /* A PUBLISH with QoS 2 was sent. */
#define QOS_SEND_AWAIT_PUBCOMP 3 /* The PUBREL was sent. */
#define QOS_SEND_ON_SEND_QOS1 0 /* A message is due with QoS 1. */
#define QOS_SEND_ON_SEND_QOS2 1 /* A message is due with QoS 2. */
#define QOS_SEND_ON_PUBACK 2 /* PUBACK with a reason below 0x80. */
#define QOS_SEND_ON_PUBACK_ERROR 3 /* PUBACK with a reason of 0x80 or above. */
#define QOS_SEND_ON_PUBREC 4 /* PUBREC with a reason below 0x80. */
#define QOS_SEND_ON_PUBREC_ERROR 5 /* PUBREC with a reason of 0x80 or above. */
#define QOS_SEND_ON_PUBCOMP 6 /* PUBCOMP, whatever its reason. */
#define QOS_SEND_ON_RESUMED 7 /* The session goes on over a new Network Connection. */
#define QOS_SEND_ON_EXPIRED 8 /* The Message Expiry Interval has passed. */
#define QOS_SEND_BREACH 0 /* The sender broke a rule, or the pair can't happen. */
#define QOS_SEND_DO_SEND_PUBLISH 1 /* Assign an unused packet identifier and send the PUBLISH with DUP 0. */
#define QOS_SEND_DO_SEND_PUBREL 2 /* Send a PUBREL, for the first time or again; the content of the message is not needed any more. */
#define QOS_SEND_DO_COMPLETE 3 /* The delivery is over: free the identifier, give the send quota back. */
#define QOS_SEND_DO_RESEND_PUBLISH 4 /* Send the PUBLISH again with its identifier and DUP 1. */
#define QOS_SEND_DO_PUBREL_NOT_FOUND 5 /* Answer with a PUBREL that says 0x92 (a plain one in 3.x). */
#define QOS_SEND_DO_IGNORE 6 /* Do nothing but count it. */
#define QOS_SEND_DO_RESEND_PUBLISH_PLAIN 7 /* Send the PUBLISH again with DUP 0; no row of the standard does this. */

inline qos_send_row(before, event, does, after)
{
	if
	:: (before) == QOS_SEND_IDLE && (event) == QOS_SEND_ON_SEND_QOS1 -> /* MQTT5-4.3.2-1, MQTT5-4.3.2-2, MQTT5-2.2.1-4, MQTT311-4.3.2-1, MQTT311-2.3.1-4 */
		does = QOS_SEND_DO_SEND_PUBLISH; after = QOS_SEND_AWAIT_PUBACK
	:: (before) == QOS_SEND_IDLE && (event) == QOS_SEND_ON_SEND_QOS2 -> /* MQTT5-4.3.3-1, MQTT5-4.3.3-2, MQTT5-2.2.1-4, MQTT311-4.3.3-1, MQTT311-2.3.1-4 */
		does = QOS_SEND_DO_SEND_PUBLISH; after = QOS_SEND_AWAIT_PUBREC
	:: (before) == QOS_SEND_IDLE && (event) == QOS_SEND_ON_PUBACK -> /* MQTT5-4.4.0-2 */
		does = QOS_SEND_DO_IGNORE; after = QOS_SEND_IDLE
	:: (before) == QOS_SEND_IDLE && (event) == QOS_SEND_ON_PUBACK_ERROR -> /* MQTT5-4.4.0-2 */
		does = QOS_SEND_DO_IGNORE; after = QOS_SEND_IDLE
	:: (before) == QOS_SEND_IDLE && (event) == QOS_SEND_ON_PUBREC_ERROR -> /* MQTT5-4.4.0-2 */
		does = QOS_SEND_DO_IGNORE; after = QOS_SEND_IDLE
	:: (before) == QOS_SEND_IDLE && (event) == QOS_SEND_ON_PUBCOMP -> /* MQTT5-4.4.0-2 */
		does = QOS_SEND_DO_IGNORE; after = QOS_SEND_IDLE
	:: (before) == QOS_SEND_IDLE && (event) == QOS_SEND_ON_PUBREC -> /* MQTT5-4.3.3-4, MQTT5-3.6.2-1 */
		does = QOS_SEND_DO_PUBREL_NOT_FOUND; after = QOS_SEND_IDLE
	:: (before) == QOS_SEND_AWAIT_PUBACK && (event) == QOS_SEND_ON_PUBACK -> /* MQTT5-4.3.2-3, MQTT311-4.3.2-1 */
		does = QOS_SEND_DO_COMPLETE; after = QOS_SEND_IDLE
	:: (before) == QOS_SEND_AWAIT_PUBACK && (event) == QOS_SEND_ON_PUBACK_ERROR -> /* MQTT5-4.4.0-2, MQTT5-4.8.2-6 */
		does = QOS_SEND_DO_COMPLETE; after = QOS_SEND_IDLE
	:: (before) == QOS_SEND_AWAIT_PUBACK && (event) == QOS_SEND_ON_RESUMED -> /* MQTT5-4.4.0-1, MQTT5-3.3.1-1, MQTT311-4.4.0-1, MQTT311-3.3.1-1 */
		does = QOS_SEND_DO_RESEND_PUBLISH; after = QOS_SEND_AWAIT_PUBACK
	:: (before) == QOS_SEND_AWAIT_PUBACK && (event) == QOS_SEND_ON_EXPIRED -> /* MQTT5-3.3.2-5 */
		does = QOS_SEND_DO_IGNORE; after = QOS_SEND_AWAIT_PUBACK
	:: (before) == QOS_SEND_AWAIT_PUBREC && (event) == QOS_SEND_ON_PUBREC -> /* MQTT5-4.3.3-4, MQTT5-4.3.3-3, MQTT311-4.3.3-1 */
		does = QOS_SEND_DO_SEND_PUBREL; after = QOS_SEND_AWAIT_PUBCOMP
	:: (before) == QOS_SEND_AWAIT_PUBREC && (event) == QOS_SEND_ON_PUBREC_ERROR -> /* MQTT5-4.4.0-2, MQTT5-4.8.2-6 */
		does = QOS_SEND_DO_COMPLETE; after = QOS_SEND_IDLE
	:: (before) == QOS_SEND_AWAIT_PUBREC && (event) == QOS_SEND_ON_RESUMED -> /* MQTT5-4.4.0-1, MQTT5-3.3.1-1, MQTT311-4.4.0-1, MQTT311-3.3.1-1 */
		does = QOS_SEND_DO_RESEND_PUBLISH; after = QOS_SEND_AWAIT_PUBREC
	:: (before) == QOS_SEND_AWAIT_PUBREC && (event) == QOS_SEND_ON_EXPIRED -> /* MQTT5-4.3.3-7 */
		does = QOS_SEND_DO_IGNORE; after = QOS_SEND_AWAIT_PUBREC
	:: (before) == QOS_SEND_AWAIT_PUBCOMP && (event) == QOS_SEND_ON_PUBCOMP -> /* MQTT5-4.3.3-5, MQTT311-4.3.3-1 */
		does = QOS_SEND_DO_COMPLETE; after = QOS_SEND_IDLE
	:: (before) == QOS_SEND_AWAIT_PUBCOMP && (event) == QOS_SEND_ON_PUBREC -> /* MQTT5-4.3.3-4, MQTT5-4.3.3-6 */
		does = QOS_SEND_DO_SEND_PUBREL; after = QOS_SEND_AWAIT_PUBCOMP
	:: (before) == QOS_SEND_AWAIT_PUBCOMP && (event) == QOS_SEND_ON_PUBREC_ERROR -> /* MQTT5-4.3.3-5 */
		does = QOS_SEND_DO_IGNORE; after = QOS_SEND_AWAIT_PUBCOMP
	:: (before) == QOS_SEND_AWAIT_PUBCOMP && (event) == QOS_SEND_ON_RESUMED -> /* MQTT5-4.4.0-1, MQTT5-4.3.3-6, MQTT311-4.4.0-1 */
		does = QOS_SEND_DO_SEND_PUBREL; after = QOS_SEND_AWAIT_PUBCOMP
	:: else -> does = QOS_SEND_BREACH; after = before
	fi
}

/* The session. */
#define SESSION_ABSENT 0 /* The server has no state for the client identifier. */
#define SESSION_ACTIVE 1 /* A Network Connection is open. */
#define SESSION_DORMANT 2 /* The client is away; its state is kept until the session expires. */
#define SESSION_ON_CONNECT_CLEAN 0 /* An accepted CONNECT with Clean Start 1. */
#define SESSION_ON_CONNECT_RESUME 1 /* An accepted CONNECT with Clean Start 0. */
#define SESSION_ON_CLOSED_ENDING 2 /* The Network Connection closed and the Session Expiry Interval is 0. */
#define SESSION_ON_CLOSED_KEEPING 3 /* The Network Connection closed and the Session Expiry Interval is not 0. */
#define SESSION_ON_EXPIRED 4 /* The Session Expiry Interval has passed since the close. */
#define SESSION_ON_REMOVED 5 /* An administrator removes the session of a client that is away. */
#define SESSION_BREACH 0 /* The sender broke a rule, or the pair can't happen. */
#define SESSION_DO_CREATE 1 /* Make a new session; Session Present is 0. */
#define SESSION_DO_REPLACE 2 /* Discard the old session, make a new one; Session Present is 0. */
#define SESSION_DO_RESUME 3 /* Go on with the session and resend what is not acknowledged; Session Present is 1. */
#define SESSION_DO_END 4 /* Discard the session. */
#define SESSION_DO_KEEP 5 /* Keep the session until it expires. */
#define SESSION_DO_RESUME_UNANNOUNCED 6 /* Go on with the session but say Session Present 0; no row of the standard does this. */
#define SESSION_DO_CREATE_PRESENT 7 /* Make a new session but say Session Present 1; no row of the standard does this. */

inline session_row(before, event, does, after)
{
	if
	:: (before) == SESSION_ABSENT && (event) == SESSION_ON_CONNECT_CLEAN -> /* MQTT5-3.1.2-4, MQTT5-3.2.2-2, MQTT311-3.1.2-6, MQTT311-3.2.2-1 */
		does = SESSION_DO_CREATE; after = SESSION_ACTIVE
	:: (before) == SESSION_ABSENT && (event) == SESSION_ON_CONNECT_RESUME -> /* MQTT5-3.1.2-6, MQTT5-3.2.2-3, MQTT311-3.1.2-4, MQTT311-3.2.2-3 */
		does = SESSION_DO_CREATE; after = SESSION_ACTIVE
	:: (before) == SESSION_DORMANT && (event) == SESSION_ON_CONNECT_CLEAN -> /* MQTT5-3.1.2-4, MQTT5-3.2.2-2, MQTT311-3.1.2-6, MQTT311-3.2.2-1 */
		does = SESSION_DO_REPLACE; after = SESSION_ACTIVE
	:: (before) == SESSION_DORMANT && (event) == SESSION_ON_CONNECT_RESUME -> /* MQTT5-3.1.2-5, MQTT5-3.2.2-3, MQTT311-3.1.2-4, MQTT311-3.2.2-2 */
		does = SESSION_DO_RESUME; after = SESSION_ACTIVE
	:: (before) == SESSION_ACTIVE && (event) == SESSION_ON_CLOSED_ENDING -> /* MQTT5-4.1.0-2, MQTT311-3.1.2-6 */
		does = SESSION_DO_END; after = SESSION_ABSENT
	:: (before) == SESSION_ACTIVE && (event) == SESSION_ON_CLOSED_KEEPING -> /* MQTT5-3.1.2-23, MQTT311-3.1.2-4, MQTT311-3.1.2-5 */
		does = SESSION_DO_KEEP; after = SESSION_DORMANT
	:: (before) == SESSION_DORMANT && (event) == SESSION_ON_EXPIRED -> /* MQTT5-4.1.0-2 */
		does = SESSION_DO_END; after = SESSION_ABSENT
	:: (before) == SESSION_DORMANT && (event) == SESSION_ON_REMOVED -> /* X311-session-discarded */
		does = SESSION_DO_END; after = SESSION_ABSENT
	:: else -> does = SESSION_BREACH; after = before
	fi
}
