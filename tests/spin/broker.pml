/* SPDX-License-Identifier: MIT
 *
 * The delivery of messages with QoS 1 and 2, with sessions that a store keeps, as a model for `spin`.
 * docs/design/model.md says what is modelled and what is not; `python -m tests.spin` runs it.
 *
 * The rows come from `machines.pml`, which is generated. What the handlers and the journal do with them is written
 * here, and `tests/spin/replay.py` holds every step of it against the engine.
 */
#include "machines.pml"

/* ---------------------------------------------------------------- bounds */

#ifndef SESSIONS
#define SESSIONS 1 /* 1: one client that publishes to itself; 2: session 0 subscribes, session 1 publishes */
#endif
#ifndef IDS
#define IDS 2 /* packet identifiers each side may use */
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef BATCHES
#define BATCHES 1 /* batches under way */
#endif
#ifndef QUOTA
#define QUOTA IDS /* the subscriber's Receive Maximum */
#endif
#ifndef LOSSES
#define LOSSES 1 /* how often a link breaks */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef FAILURES
#define FAILURES 1 /* how many commits fail */
#endif
#ifndef CLEANS
#define CLEANS 1 /* how often a client begins with Clean Start 1 */
#endif
#ifndef BRIEFS
#define BRIEFS 0 /* how often a client connects with a Session Expiry Interval of 0 */
#endif
#ifndef REFUSALS
#define REFUSALS 0 /* how often the server refuses a PUBLISH */
#endif
#ifndef DECLINES
#define DECLINES 0 /* how often the subscriber refuses one */
#endif
#ifndef ENDS
#define ENDS 0 /* how often a session expires or is removed by hand */
#endif
#ifndef STRAYS
#define STRAYS 0 /* how often a client sends an acknowledgement of nothing */
#endif
#ifndef ROGUES
#define ROGUES 0 /* how often a client sends what breaks a rule */
#endif
#ifndef TOGETHER
#define TOGETHER 0 /* 1: a tick may handle several packets; 0: one */
#endif

#define QUEUE 8 /* room in the queue of a session; a model that needs more stops with a claim that fails */
#define UP (IDS + 2)
#define DOWN (2 * IDS + 2)
#define SUBSCRIBER 0
#define PUBLISHER (SESSIONS - 1)
#define NOTHING MESSAGES /* the message of an exchange that has none */

/* Faults of the journal and its store, for which no table has a row. */
#ifndef FAULT
#define FAULT 0
#endif
#define TOLD_WRONG 1 /* a batch that failed is answered as committed */
#define NOT_HELD 2 /* output does not wait for its batch */
#define NOT_MENDED 3 /* what a failed batch was about is not stored again */
#define COMES_BACK 5 /* a session that no store keeps does not wait for the deletion of an older one */
#define OVERTAKES 4 /* output of a connection that waits goes before what waits, if its own tick touched nothing */

/* ---------------------------------------------------------------- packets */

#define CONNECT 1
#define CONNACK 2
#define PUBLISH 3
#define PUBACK 4
#define PUBREC 5
#define PUBREL 6
#define PUBCOMP 7
/* Each is kind, identifier, message, flag. The flag is: CONNECT 1 Clean Start, 2 Session Expiry Interval 0, 3 both;
 * CONNACK Session Present; PUBLISH DUP; the others 1 for a Reason Code of 0x80 or above. */

/* ---------------------------------------------------------------- the server */

typedef Session {
	bit here; /* the server has it */
	byte state; /* of the machine */
	bit kept; /* the store keeps it */
	bit brief; /* its Session Expiry Interval is 0 */
	byte away; /* 1: a time at which it ends is set, 2: that time has passed */
	bit subscribed;
	byte n; /* exchanges in flight, in the order of their first sending */
	byte id[IDS];
	byte st[IDS];
	byte m[IDS];
	bit charged[IDS];
	bit again[IDS]; /* waits to be sent again */
	byte next; /* the next packet identifier to try */
	byte held; /* bit i: the identifier i of the client's QoS 2 messages is held */
	byte qn;
	byte q[QUEUE]
}

Session live[SESSIONS];
Session disk[SESSIONS]; /* what the store has */

#define WAYS (BATCHES * SESSIONS)
Session snap[WAYS]; /* what the batches under way will make of it, oldest batch first */
bit holds[WAYS]; /* which sessions a batch is about */
byte way; /* batches under way; the open one has this number */
bit dirty[SESSIONS]; /* the open batch is about this session */
bit lost[SESSIONS]; /* a batch about it failed, and no later one has mended it */
byte deleted[SESSIONS]; /* bit b: batch b deletes a session of the client */

bit conn[SESSIONS]; /* the server has an open connection */
bit cur[SESSIONS]; /* and it is the one that the client has too */
byte quota[SESSIONS];
bit touched[SESSIONS]; /* the output of this tick waits for the open batch */
byte pend[SESSIONS]; /* bit b: the connection waits for batch b, or would if it had output */
byte last[SESSIONS]; /* the batch that the last waiting output waits for */

chan up[SESSIONS] = [UP] of { byte, byte, byte, byte };
chan down[SESSIONS] = [DOWN] of { byte, byte, byte, byte };
chan fresh[SESSIONS] = [DOWN] of { byte, byte, byte, byte }; /* the output of this tick */
chan waits[SESSIONS] = [DOWN] of { byte, byte, byte, byte, byte }; /* and the batch that each waits for */

/* ---------------------------------------------------------------- the clients */

#define UNSENT 0
#define SENT 1 /* its PUBLISH was sent */
#define RELEASED 2 /* its PUBREL was sent */
#define DONE 3
#define REFUSED 4
#define ABANDONED 5 /* its session has ended meanwhile */
byte fate[MESSAGES];
byte qos[MESSAGES + 1]; /* the last one is that of NOTHING */
byte ident[MESSAGES];
byte sent; /* messages that were sent at least once */

byte link[SESSIONS]; /* 0 none, 1 the CONNECT was sent, 2 the CONNACK is here */
bit anew[SESSIONS]; /* Clean Start 1 until a CONNACK comes */
bit passing[SESSIONS]; /* the CONNECT said Session Expiry Interval 0 */
byte has[SESSIONS]; /* bit i: the identifier i of the server's QoS 2 messages is held */
byte app[MESSAGES]; /* how often the application of the subscriber got a message; 2 is as good as more */

/* What the claims need to know. */
bit owed[SESSIONS]; /* the client was told of a session that is kept, and nothing has ended it since */
byte none[SESSIONS]; /* 1: the session has ended with its connection, 2: and the CONNECT that follows was sent */
bit forgiven[MESSAGES + 1]; /* the message need not arrive: its subscriber's session ended, or it was refused */
bit turned[MESSAGES + 1]; /* the server was to refuse the message */
byte got[SESSIONS]; /* bit i: the PUBLISH of the server's exchange i has reached the client */

/* ---------------------------------------------------------------- what may happen still */

byte losses = LOSSES;
byte crashes = CRASHES;
byte failures = FAILURES;
byte cleans = CLEANS;
byte briefs = BRIEFS;
byte refusals = REFUSALS;
byte declines = DECLINES;
byte ends = ENDS;
byte strays = STRAYS;
byte rogues = ROGUES;
bit over;
bit open_tick; /* a tick has begun */

/* What a step is about, between its choice and its end; 0 between two steps. */
byte in_kind, in_id, in_msg, in_flag;
bit in_refuse, in_rogue;

/* What is used within a step only. A search in breadth may not hide it from the state, so that it is cleared. */
#ifdef BREADTH
#define TEMPORARY byte
#define RESET i = 0; j = 0; k = 0; x = 0; y = 0; w = 0; act = 0; nxt = 0; kind = 0; id = 0; msg = 0; flag = 0; \
	tag = 0; ev = 0; wrote = 0; some = 0; clean = 0; gone = 0
#else
#define TEMPORARY hidden byte
#define RESET skip
#endif
TEMPORARY i, j, k, x, y, w, act, nxt, kind, id, msg, flag, tag, ev, wrote, some, clean, gone;

/* ---------------------------------------------------------------- what is printed for the replay */

#define EXCHANGE(a, s, n) a[s].id[n], a[s].st[n], a[s].m[n]
#if IDS == 1
#define FLIGHT(a, s) EXCHANGE(a, s, 0), 0, 0, 0, 0, 0, 0
#elif IDS == 2
#define FLIGHT(a, s) EXCHANGE(a, s, 0), EXCHANGE(a, s, 1), 0, 0, 0
#else
#define FLIGHT(a, s) EXCHANGE(a, s, 0), EXCHANGE(a, s, 1), EXCHANGE(a, s, 2)
#endif
#define KEPT(a, s) a[s].here, a[s].brief, a[s].held, a[s].n, FLIGHT(a, s), a[s].qn, a[s].q[0], a[s].q[1], a[s].q[2], a[s].q[3], \
	a[s].q[4], a[s].q[5], a[s].q[6], a[s].q[7]
#define SHOW(s) \
	printf("live %d: %d %d %d %d  %d %d %d  %d %d %d  %d %d %d  %d %d %d %d %d %d %d %d %d\n", s, KEPT(live, s)); \
	printf("disk %d: %d %d %d %d  %d %d %d  %d %d %d  %d %d %d  %d %d %d %d %d %d %d %d %d\n", s, KEPT(disk, s)); \
	printf("link %d: %d %d %d %d %d\n", s, live[s].state, conn[s], cur[s], quota[s], len(waits[s]))

inline look()
{
	SHOW(0);
#if SESSIONS > 1
	SHOW(1);
#endif
	printf("way %d\n", way)
}

/* ---------------------------------------------------------------- the journal */

inline touch(s)
{
	touched[s] = 1;
	pend[s] = pend[s] | (1 << way)
}

/* Something of the session is to be stored. */
inline record(s)
{
	if
	:: live[s].kept -> dirty[s] = 1; wrote = 1
	:: else
	fi
}

inline blank(x_)
{
	x_.here = 0; x_.state = SESSION_ABSENT; x_.kept = 0; x_.brief = 0; x_.away = 0; x_.subscribed = 0;
	for (k : 0 .. IDS - 1) {
		x_.id[k] = 0; x_.st[k] = 0; x_.m[k] = 0; x_.charged[k] = 0; x_.again[k] = 0
	}
	for (k : 0 .. QUEUE - 1) { x_.q[k] = 0 }
	x_.n = 0; x_.next = 0; x_.held = 0; x_.qn = 0
}

/* What a store keeps of a session; a copy of a copy is the same. */
inline copy(to, from)
{
	blank(to);
	if
	:: from.here && from.kept ->
		to.here = 1; to.kept = 1; to.brief = from.brief; to.away = from.away; to.subscribed = from.subscribed;
		to.n = from.n; to.held = from.held; to.qn = from.qn;
		for (k : 0 .. IDS - 1) {
			to.id[k] = from.id[k]; to.st[k] = from.st[k]; to.m[k] = from.m[k]
		}
		for (k : 0 .. QUEUE - 1) { to.q[k] = from.q[k] }
	:: else
	fi
}

inline leave(s)
{
	if
	:: cur[s] ->
		printf("out %d: %d %d %d %d\n", s, kind, id, msg, flag);
		down[s]!kind, id, msg, flag
	:: else
	fi
}

/* The end of a tick: seal the batch if there is room, and hold back the output that waits. */
inline tick()
{
	some = 0;
	for (i : 0 .. SESSIONS - 1) { some = some || dirty[i] }
	for (i : 0 .. SESSIONS - 1) {
		if
		:: some && lost[i] ->
			lost[i] = 0;
#if FAULT != NOT_MENDED
			dirty[i] = 1;
			deleted[i] = deleted[i] | (1 << way);
			if
			:: conn[i] && live[i].kept -> touch(i)
			:: else
			fi
#endif
		:: else
		fi
	}
	for (i : 0 .. SESSIONS - 1) {
#if FAULT == NOT_HELD
		some = 0;
#elif FAULT == OVERTAKES
		some = touched[i];
#else
		some = touched[i] || (len(waits[i]) > 0);
#endif
		if
		:: some && (len(fresh[i]) > 0) ->
			if
			:: touched[i] -> last[i] = way
			:: else
			fi
		:: else
		fi;
		do
		:: (len(fresh[i]) > 0) ->
			fresh[i]?kind, id, msg, flag;
			if
			:: some -> waits[i]!last[i], kind, id, msg, flag
			:: else -> leave(i)
			fi
		:: else -> break
		od;
		touched[i] = 0
	}
	some = 0;
	for (i : 0 .. SESSIONS - 1) { some = some || dirty[i] }
	if
	:: some && way < BATCHES ->
		for (i : 0 .. SESSIONS - 1) {
			if
			:: dirty[i] ->
				holds[way * SESSIONS + i] = 1;
				copy(snap[way * SESSIONS + i], live[i]);
				dirty[i] = 0
			:: else
			fi
		}
		way++
	:: else
	fi
}

/* Take the oldest batch from those under way; `has_it`: the store has it. */
inline unbatch(has_it)
{
	for (i : 0 .. SESSIONS - 1) {
		if
		:: holds[i] && (has_it) -> copy(disk[i], snap[i])
		:: holds[i] && !(has_it) && FAULT != TOLD_WRONG -> lost[i] = 1
		:: else
		fi
	}
	for (i : 0 .. WAYS - 1) {
		if
		:: i + SESSIONS < WAYS ->
			holds[i] = holds[i + SESSIONS];
			copy(snap[i], snap[i + SESSIONS])
		:: else ->
			holds[i] = 0;
			blank(snap[i])
		fi
	}
	way--
}

/* Batches have one number less; what waited for the oldest alone leaves. */
inline renumber()
{
	for (i : 0 .. SESSIONS - 1) {
		pend[i] = pend[i] >> 1;
		deleted[i] = deleted[i] >> 1;
		w = len(waits[i]);
		do
		:: w > 0 ->
			w--;
			waits[i]?tag, kind, id, msg, flag;
			if
			:: tag == 0 -> leave(i)
			:: else -> waits[i]!tag - 1, kind, id, msg, flag
			fi
		:: else -> break
		od;
		if
		:: len(waits[i]) == 0 -> last[i] = 0
		:: last[i] > 0 -> last[i]--
		:: else
		fi
	}
}

/* ---------------------------------------------------------------- the state of a client ends */

inline forgive()
{
	for (k : 0 .. MESSAGES - 1) {
		if
		:: fate[k] != UNSENT -> forgiven[k] = 1
		:: else
		fi
	}
}

/* Nobody owes the client its session any more. */
inline ended(s)
{
	owed[s] = 0;
	if
	:: s == SUBSCRIBER -> forgive()
	:: else
	fi
}

/* The client discards its own state. */
inline forget(s)
{
	has[s] = 0;
	if
	:: s == PUBLISHER ->
		for (k : 0 .. MESSAGES - 1) {
			if
			:: fate[k] == SENT || fate[k] == RELEASED -> fate[k] = ABANDONED; ident[k] = 0
			:: else
			fi
		}
	:: else
	fi
}

/* The client has no link any more. A session that ends with its connection is over for the client too: it begins anew
 * if it does not know whether the server has heard that, else it need not. */
inline broken(s)
{
	if
	:: passing[s] ->
		passing[s] = 0;
		ended(s);
		forget(s);
		if
		:: link[s] == 2 -> none[s] = 1
		:: else -> anew[s] = 1
		fi
	:: else
	fi;
	link[s] = 0
}

/* ---------------------------------------------------------------- the end of a connection, and of a session */

inline drain(c)
{
	do
	:: (len(c) > 0) -> c?kind, x, y, flag
	:: else -> break
	od
}

/* Forget what waits for a batch. */
inline unwait(s)
{
	do
	:: len(waits[s]) > 0 -> waits[s]?tag, kind, x, y, flag
	:: else -> break
	od
}

/* Discard all that a session holds. */
inline discard(s)
{
	record(s);
	deleted[s] = deleted[s] | (live[s].kept << way);
	x = live[s].state;
	some = live[s].here;
	blank(live[s]);
	live[s].here = some;
	live[s].state = x;
	got[s] = 0
}

/* The server is done with the connection. */
inline settle(s)
{
	conn[s] = 0; cur[s] = 0; touched[s] = 0; pend[s] = 0; last[s] = 0; quota[s] = 0;
	drain(fresh[s]);
	unwait(s);
	for (k : 0 .. IDS - 1) { live[s].again[k] = 0 }
	if
	:: live[s].brief -> session_row(live[s].state, SESSION_ON_CLOSED_ENDING, act, nxt)
	:: else -> session_row(live[s].state, SESSION_ON_CLOSED_KEEPING, act, nxt)
	fi;
	live[s].state = nxt;
	if
	:: nxt == SESSION_ABSENT -> live[s].here = 0
	:: else
	fi;
	if
	:: act == SESSION_DO_END -> discard(s)
	:: else ->
		live[s].away = 1 + live[s].brief;
		record(s)
	fi
}

/* The server closes the connection: the client sees that its link is gone. */
inline cut(s)
{
	if
	:: cur[s] -> broken(s); drain(up[s]); drain(down[s])
	:: else
	fi;
	settle(s)
}

/* ---------------------------------------------------------------- sending to a client */

inline say(s, kind_, id_, m_, flag_)
{
	if
	:: cur[s] -> fresh[s]!kind_, id_, m_, flag_
	:: else
	fi
}

/* The exchange at `at` enters the next state of a row; `gone` says that its identifier is free. */
inline enter(s, at)
{
	gone = 0;
	if
	:: nxt == live[s].st[at] -> skip
	:: nxt != live[s].st[at] && nxt == QOS_SEND_IDLE ->
		gone = 1;
		got[s] = got[s] & (255 - (1 << live[s].id[at]));
		live[s].n--;
		k = at;
		do
		:: k < live[s].n ->
			live[s].id[k] = live[s].id[k + 1]; live[s].st[k] = live[s].st[k + 1]; live[s].m[k] = live[s].m[k + 1];
			live[s].charged[k] = live[s].charged[k + 1]; live[s].again[k] = live[s].again[k + 1];
			k++
		:: else -> break
		od;
		live[s].id[k] = 0; live[s].st[k] = 0; live[s].m[k] = 0; live[s].charged[k] = 0; live[s].again[k] = 0;
		record(s)
	:: else ->
		live[s].st[at] = nxt;
		record(s);
		if
		:: live[s].kept -> touch(s)
		:: else
		fi
	fi
}

/* A new exchange in state `nxt`. */
inline append(s, id_, m_)
{
	if
	:: live[s].n == IDS -> printf("wrong: more exchanges than identifiers\n"); assert(false)
	:: else
	fi;
	live[s].id[live[s].n] = id_; live[s].st[live[s].n] = nxt; live[s].m[live[s].n] = m_;
	live[s].n++;
	record(s);
	if
	:: live[s].kept -> touch(s)
	:: else
	fi
}

inline start(s, m_)
{
	x = live[s].next;
	do
	:: k = 0; some = 0;
		do
		:: k < live[s].n -> some = some || live[s].id[k] == x; k++
		:: else -> break
		od;
		if
		:: some -> x = (x < IDS -> x + 1 : 1)
		:: else -> break
		fi
	od;
	if
	:: qos[m_] == 1 -> qos_send_row(QOS_SEND_IDLE, QOS_SEND_ON_SEND_QOS1, act, nxt)
	:: else -> qos_send_row(QOS_SEND_IDLE, QOS_SEND_ON_SEND_QOS2, act, nxt)
	fi;
	if
	:: nxt != QOS_SEND_IDLE -> append(s, x, m_)
	:: else
	fi;
	if
	:: act == QOS_SEND_DO_SEND_PUBLISH ->
		live[s].next = (x < IDS -> x + 1 : 1);
		say(s, PUBLISH, x, m_, 0);
		if
		:: nxt != QOS_SEND_IDLE -> live[s].charged[live[s].n - 1] = 1
		:: else
		fi;
		quota[s]--
	:: else
	fi
}

inline deliver(s, m_)
{
	some = 0;
	k = 0;
	do
	:: k < live[s].n -> some = some || live[s].again[k]; k++
	:: else -> break
	od;
	if
	:: conn[s] && quota[s] > 0 && live[s].qn == 0 && !some && live[s].n < IDS -> start(s, m_)
	:: else ->
		if
		:: live[s].qn == QUEUE -> printf("wrong: a queue grows without end\n"); assert(false)
		:: else ->
			live[s].q[live[s].qn] = m_;
			live[s].qn++;
			record(s)
		fi
	fi
}

/* Send what waits as far as the quota allows: first again, then the queue. */
inline pump(s)
{
	j = 0;
	do
	:: j < live[s].n && quota[s] > 0 ->
		if
		:: live[s].again[j] ->
			live[s].again[j] = 0;
			qos_send_row(live[s].st[j], QOS_SEND_ON_RESUMED, act, nxt);
			if
			:: !live[s].charged[j] && act == QOS_SEND_DO_RESEND_PUBLISH ->
				say(s, PUBLISH, live[s].id[j], live[s].m[j], 1);
				live[s].charged[j] = 1;
				quota[s]--
			:: !live[s].charged[j] && act == QOS_SEND_DO_RESEND_PUBLISH_PLAIN ->
				say(s, PUBLISH, live[s].id[j], live[s].m[j], 0);
				live[s].charged[j] = 1;
				quota[s]--
			:: else
			fi
		:: else
		fi;
		j++
	:: else -> break
	od;
	k = 0; some = 0;
	do
	:: k < live[s].n -> some = some || live[s].again[k]; k++
	:: else -> break
	od;
	if
	:: some -> skip
	:: else ->
		do
		:: live[s].qn > 0 && quota[s] > 0 && live[s].n < IDS ->
			y = live[s].q[0];
			live[s].qn--;
			for (k : 0 .. QUEUE - 2) { live[s].q[k] = live[s].q[k + 1] }
			live[s].q[QUEUE - 1] = 0;
			record(s);
			start(s, y)
		:: else -> break
		od
	fi
}

inline resume(s)
{
	if
	:: live[s].n > 0 || live[s].qn > 0 ->
		j = 0;
		do
		:: j < live[s].n ->
			live[s].charged[j] = 0;
			live[s].again[j] = 0;
			x = live[s].id[j];
			qos_send_row(live[s].st[j], QOS_SEND_ON_RESUMED, act, nxt);
			enter(s, j);
			if
			:: !gone && (act == QOS_SEND_DO_RESEND_PUBLISH || act == QOS_SEND_DO_RESEND_PUBLISH_PLAIN) ->
				live[s].again[j] = 1
			:: act == QOS_SEND_DO_SEND_PUBREL -> say(s, PUBREL, x, NOTHING, 0)
			:: else
			fi;
			j = (gone -> j : j + 1)
		:: else -> break
		od;
		pump(s)
	:: else
	fi
}

/* PUBACK, PUBREC or PUBCOMP from the subscriber, in `kind`, `id`, `flag`. */
inline acknowledged(s)
{
	if
	:: kind == PUBACK -> ev = (flag -> QOS_SEND_ON_PUBACK_ERROR : QOS_SEND_ON_PUBACK)
	:: kind == PUBREC -> ev = (flag -> QOS_SEND_ON_PUBREC_ERROR : QOS_SEND_ON_PUBREC)
	:: else -> ev = QOS_SEND_ON_PUBCOMP
	fi;
	j = 0;
	do
	:: j < live[s].n && live[s].id[j] != id -> j++
	:: else -> break
	od;
	some = 0;
	if
	:: j == live[s].n ->
		qos_send_row(QOS_SEND_IDLE, ev, act, nxt);
		if
		:: nxt != QOS_SEND_IDLE -> append(s, id, NOTHING)
		:: else
		fi
	:: else ->
		some = live[s].charged[j];
		qos_send_row(live[s].st[j], ev, act, nxt);
		enter(s, j)
	fi;
	if
	:: act == QOS_SEND_DO_COMPLETE ->
		if
		:: some && quota[s] < QUOTA -> quota[s]++
		:: else
		fi;
		pump(s)
	:: act == QOS_SEND_DO_SEND_PUBREL -> say(s, PUBREL, id, NOTHING, 0)
	:: act == QOS_SEND_DO_PUBREL_NOT_FOUND -> say(s, PUBREL, id, NOTHING, 1)
	:: act == QOS_SEND_BREACH -> printf("breach %d\n", s); cut(s)
	:: else
	fi
}

/* ---------------------------------------------------------------- receiving from a client */

inline answer(s)
{
	if
	:: nxt == ((live[s].held >> id) & 1) -> skip
	:: else ->
		live[s].held = live[s].held ^ (1 << id);
		record(s);
		if
		:: live[s].kept -> touch(s)
		:: else
		fi
	fi;
	if
	:: act == QOS_RECEIVE_DO_DELIVER_PUBACK || act == QOS_RECEIVE_DO_REFUSE_PUBACK -> say(s, PUBACK, id, NOTHING, y)
	:: act == QOS_RECEIVE_DO_DELIVER_PUBREC || act == QOS_RECEIVE_DO_REFUSE_PUBREC -> say(s, PUBREC, id, NOTHING, y)
	:: act == QOS_RECEIVE_DO_PUBREC -> say(s, PUBREC, id, NOTHING, 0)
	:: act == QOS_RECEIVE_DO_IN_USE -> say(s, PUBACK, id, NOTHING, 1)
	:: act == QOS_RECEIVE_DO_PUBCOMP -> say(s, PUBCOMP, id, NOTHING, 0)
	:: act == QOS_RECEIVE_DO_PUBCOMP_NOT_FOUND -> say(s, PUBCOMP, id, NOTHING, 1)
	:: else
	fi
}

/* A PUBLISH with the identifier `id` and the message `msg`; `refuse`: the server does not take it. */
inline published(s, refuse)
{
	if
	:: refuse ->
		if
		:: (live[s].held >> id) & 1 -> skip /* it was accepted before */
		:: else -> forgiven[msg] = 1; turned[msg] = 1
		fi;
		y = 1;
		ev = (qos[msg] == 1 -> QOS_RECEIVE_ON_REFUSED_QOS1 : QOS_RECEIVE_ON_REFUSED_QOS2)
	:: else ->
		turned[msg] = 0;
		ev = (qos[msg] == 1 -> QOS_RECEIVE_ON_PUBLISH_QOS1 : QOS_RECEIVE_ON_PUBLISH_QOS2);
		x = (live[s].held >> id) & 1;
	qos_receive_row(x, ev, act, nxt);
		if
		:: (act == QOS_RECEIVE_DO_DELIVER_PUBACK || act == QOS_RECEIVE_DO_DELIVER_PUBREC) && live[SUBSCRIBER].subscribed ->
			wrote = 0;
			deliver(SUBSCRIBER, msg);
			if
			:: wrote -> touch(s)
			:: else
			fi
		:: else
		fi;
		y = 0
	fi;
	x = (live[s].held >> id) & 1;
	qos_receive_row(x, ev, act, nxt);
	answer(s)
}

inline released(s)
{
	y = 0;
	x = (live[s].held >> id) & 1;
	qos_receive_row(x, QOS_RECEIVE_ON_PUBREL, act, nxt);
	answer(s)
}

/* ---------------------------------------------------------------- sessions */

/* A session whose client is away: its time has passed, or an administrator removes it. */
inline end_dormant(s, event)
{
	session_row(live[s].state, event, act, nxt);
	live[s].state = nxt;
	if
	:: nxt == SESSION_ABSENT -> live[s].here = 0
	:: else
	fi;
	if
	:: act == SESSION_DO_END -> discard(s)
	:: else -> live[s].away = 0
	fi
}

/* A CONNECT with the flags in `flag`. */
inline connected(s)
{
	clean = flag & 1;
	w = flag >> 1;
	if
	:: conn[s] -> settle(s)
	:: else
	fi;
	if
	:: live[s].here && live[s].away == 2 -> end_dormant(s, SESSION_ON_EXPIRED)
	:: else
	fi;
	if
	:: clean -> ev = SESSION_ON_CONNECT_CLEAN
	:: else -> ev = SESSION_ON_CONNECT_RESUME
	fi;
	x = (live[s].here -> live[s].state : SESSION_ABSENT);
	session_row(x, ev, act, nxt);
	conn[s] = 1;
	cur[s] = link[s] == 1;
	if
	:: live[s].here && (act == SESSION_DO_RESUME || act == SESSION_DO_RESUME_UNANNOUNCED) -> skip
	:: !live[s].here && (act == SESSION_DO_RESUME || act == SESSION_DO_RESUME_UNANNOUNCED) ->
		printf("wrong: a client gets no session\n");
		assert(false)
	:: act == SESSION_DO_CREATE || act == SESSION_DO_CREATE_PRESENT || act == SESSION_DO_REPLACE ->
		wrote = 0;
		if
		:: live[s].here && act != SESSION_DO_CREATE -> discard(s)
		:: else -> blank(live[s])
		fi;
		live[s].here = 1;
		live[s].next = 1;
		if
		:: wrote -> touch(s)
		:: else
		fi
	:: else
	fi;
	live[s].state = nxt;
	live[s].brief = w;
	live[s].away = 0;
	quota[s] = QUOTA;
	if
	:: !w -> live[s].kept = 1
	:: else
	fi;
	say(s, CONNACK, 0, NOTHING, (act == SESSION_DO_RESUME || act == SESSION_DO_CREATE_PRESENT));
	if
	:: live[s].kept -> record(s); touch(s)
	:: !live[s].kept && FAULT != COMES_BACK && (deleted[s] || lost[s]) ->
		dirty[s] = 1;
		deleted[s] = deleted[s] | (1 << way);
		touch(s)
	:: else
	fi;
	resume(s);
	live[s].subscribed = (s == SUBSCRIBER)
}

/* ---------------------------------------------------------------- one client */

inline connect(s, flags)
{
	drain(up[s]);
	cur[s] = 0;
	link[s] = 1;
	none[s] = (none[s] == 1 -> 2 : 0);
	if
	:: (flags) & 1 -> anew[s] = 1; ended(s); forget(s)
	:: else
	fi;
	if
	:: (flags) & 2 -> passing[s] = 1; ended(s)
	:: else -> passing[s] = 0
	fi;
	up[s]!CONNECT, 0, 0, flags
}

/* The message whose exchange has the identifier `id`, in `x`. */
inline own()
{
	x = 0;
	do
	:: x < MESSAGES && !(ident[x] == id && (fate[x] == SENT || fate[x] == RELEASED)) -> x++
	:: else -> break
	od
}

/* An answer to the message `x` must not come before that to an earlier one with the same QoS. */
inline in_order()
{
	if
	:: turned[x] && !flag -> printf("wrong: refused, and acknowledged\n"); assert(false)
	:: else
	fi;
	for (k : 0 .. MESSAGES - 1) {
		if
		:: k < x && fate[k] == SENT && qos[k] == qos[x] -> printf("wrong: acknowledged out of order\n"); assert(false)
		:: else
		fi
	}
}

inline unasked()
{
	printf("wrong: an answer that was not asked for\n");
	assert(false)
}

/* A packet reaches the client, in `kind`, `id`, `msg`, `flag`; `refuse`: it does not take a message. */
inline reaches(s, refuse)
{
	if
	:: kind == CONNACK ->
		if
		:: link[s] != 1 -> unasked()
		:: flag && anew[s] -> printf("wrong: Session Present after Clean Start\n"); assert(false)
		:: flag && none[s] == 2 -> printf("wrong: the session outlives its connection\n"); assert(false)
		:: !flag && owed[s] -> printf("wrong: the session is lost\n"); assert(false)
		:: else
		fi;
		link[s] = 2;
		anew[s] = 0;
		none[s] = 0;
		owed[s] = !passing[s];
		if
		:: !flag -> ended(s); forget(s); owed[s] = !passing[s]
		:: else
		fi;
		if
		:: s == PUBLISHER ->
			for (k : 0 .. MESSAGES - 1) {
				if
				:: fate[k] == SENT -> up[s]!PUBLISH, ident[k], k, 1
				:: fate[k] == RELEASED -> up[s]!PUBREL, ident[k], NOTHING, 0
				:: else
				fi
			}
		:: else
		fi
	:: kind == PUBLISH ->
		if
		:: msg == NOTHING -> printf("wrong: a message that nobody published\n"); assert(false)
		:: else
		fi;
		if
		:: !flag && (got[s] >> id) & 1 -> printf("wrong: sent again with DUP 0\n"); assert(false)
		:: else
		fi;
		got[s] = got[s] | (1 << id);
		some = !(qos[msg] == 2 && ((has[s] >> id) & 1));
		if
		:: refuse -> forgiven[msg] = 1
		:: !refuse && some ->
			for (k : 0 .. MESSAGES - 1) {
				if
				:: k < msg && app[msg] == 0 && app[k] == 0 && !forgiven[k] && fate[k] != ABANDONED ->
					printf("wrong: message %d before %d\n", msg, k);
					assert(false)
				:: else
				fi
			}
			if
			:: app[msg] < 2 -> app[msg]++
			:: else
			fi;
			if
			:: qos[msg] == 2 && app[msg] > 1 -> printf("wrong: a QoS 2 message twice\n"); assert(false)
			:: else
			fi
		:: else
		fi;
		if
		:: qos[msg] == 1 -> up[s]!PUBACK, id, NOTHING, refuse
		:: else ->
			if
			:: !refuse -> has[s] = has[s] | (1 << id)
			:: else
			fi;
			up[s]!PUBREC, id, NOTHING, refuse
		fi
	:: kind == PUBREL ->
		if
		:: flag && ((has[s] >> id) & 1) -> printf("wrong: a message that is known is not found\n"); assert(false)
		:: else
		fi;
		has[s] = has[s] & (255 - (1 << id));
		up[s]!PUBCOMP, id, NOTHING, 0
	:: kind == PUBACK ->
		own();
		if
		:: x == MESSAGES -> unasked()
		:: x < MESSAGES && (qos[x] != 1 || fate[x] != SENT) -> unasked()
		:: x < MESSAGES && flag && !turned[x] -> printf("wrong: refused for no reason\n"); assert(false)
		:: else -> in_order(); fate[x] = (flag -> REFUSED : DONE); ident[x] = 0
		fi
	:: kind == PUBREC ->
		own();
		if
		:: x == MESSAGES -> unasked()
		:: x < MESSAGES && (qos[x] != 2 || fate[x] != SENT) -> unasked()
		:: x < MESSAGES && flag && !turned[x] -> printf("wrong: refused for no reason\n"); assert(false)
		:: x < MESSAGES && flag && turned[x] -> in_order(); fate[x] = REFUSED; ident[x] = 0
		:: else ->
			in_order();
			fate[x] = RELEASED;
			up[s]!PUBREL, id, NOTHING, 0
		fi
	:: else -> /* PUBCOMP */
		own();
		if
		:: x == MESSAGES -> unasked()
		:: x < MESSAGES && fate[x] != RELEASED -> unasked()
		:: else -> fate[x] = DONE; ident[x] = 0
		fi
	fi
}

inline publish(s)
{
	id = 0;
	do
	:: id++;
		own();
		if
		:: x == MESSAGES -> break
		:: else
		fi
	od;
	ident[sent] = id;
	fate[sent] = SENT;
	forgiven[sent] = !owed[SUBSCRIBER];
	up[s]!PUBLISH, id, sent, 0;
	sent++
}

inline in_flight()
{
	x = 0;
	for (k : 0 .. MESSAGES - 1) { x = x + (fate[k] == SENT || fate[k] == RELEASED) }
}

/* ---------------------------------------------------------------- the end */

#define QUIET(s) (link[s] == 2 && empty(up[s]) && empty(down[s]) && empty(waits[s]) && empty(fresh[s]) && \
	live[s].n == 0 && live[s].qn == 0 && live[s].held == 0 && has[s] == 0)
#define FINAL(m) (fate[m] >= DONE)
#if SESSIONS > 1
#define ALL_QUIET (QUIET(0) && QUIET(1) && way == 0)
#else
#define ALL_QUIET (QUIET(0) && way == 0)
#endif
#if MESSAGES == 1
#define ALL_FINAL FINAL(0)
#define WINDOW (fate[0] == SENT || fate[0] == RELEASED)
#elif MESSAGES == 2
#define ALL_FINAL (FINAL(0) && FINAL(1))
#define BUSY(m) (fate[m] == SENT || fate[m] == RELEASED)
#define WINDOW (BUSY(0) + BUSY(1))
#elif MESSAGES == 3
#define ALL_FINAL (FINAL(0) && FINAL(1) && FINAL(2))
#define BUSY(m) (fate[m] == SENT || fate[m] == RELEASED)
#define WINDOW (BUSY(0) + BUSY(1) + BUSY(2))
#else
#define ALL_FINAL (FINAL(0) && FINAL(1) && FINAL(2) && FINAL(3))
#define BUSY(m) (fate[m] == SENT || fate[m] == RELEASED)
#define WINDOW (BUSY(0) + BUSY(1) + BUSY(2) + BUSY(3))
#endif

/* ---------------------------------------------------------------- what may happen, step by step */

#define INPUT in_kind, in_id, in_msg, in_flag
#define STEP(word) printf("step %e %d: %d %d %d %d\n", word, s, INPUT)
#define CLEAR in_kind = 0; in_id = 0; in_msg = 0; in_flag = 0; in_refuse = 0; in_rogue = 0; RESET
#define CAN_SEND (len(up[s]) < IDS)

mtype = { s_connect, s_lose, s_publish, s_read, s_decline, s_handle, s_refuse, s_in_use, s_in_use_refused, s_notice,
	s_remove }

proctype Client(byte s)
{
	do
	:: over -> break
	:: d_step { link[s] == 0 -> in_flag = anew[s]; STEP(s_connect); connect(s, in_flag); CLEAR }
	:: d_step { link[s] == 0 && !anew[s] && cleans > 0 -> cleans--; in_flag = 1; STEP(s_connect); connect(s, 1); CLEAR }
	:: d_step { link[s] == 0 && briefs > 0 -> briefs--; in_flag = 2 + anew[s]; STEP(s_connect); connect(s, in_flag); CLEAR }
	:: d_step { link[s] > 0 && losses > 0 -> losses--; STEP(s_lose); broken(s); cur[s] = 0; last[s] = 0;
		drain(down[s]); drain(fresh[s]); unwait(s); CLEAR }
	:: d_step { s == PUBLISHER && link[s] == 2 && sent < MESSAGES && WINDOW < IDS && CAN_SEND ->
		in_msg = sent; STEP(s_publish); publish(s); CLEAR }
	:: atomic {
		if
		:: d_step { link[s] > 0 && CAN_SEND && nempty(down[s]) -> down[s]?INPUT; STEP(s_read) }
#if DECLINES > 0
		:: d_step { link[s] > 0 && CAN_SEND && declines > 0 && down[s]?[PUBLISH, id, msg, flag] ->
			down[s]?INPUT;
			if
			:: (has[s] >> in_id) & 1 -> STEP(s_read)
			:: else -> declines--; in_refuse = 1; STEP(s_decline)
			fi }
#endif
		fi;
		d_step { kind = in_kind; id = in_id; msg = in_msg; flag = in_flag; reaches(s, in_refuse); CLEAR }
	}
	od
}

#if TOGETHER
#define DID open_tick = 1
#else
#define DID tick()
#endif

/* The client acknowledges an identifier that is not in use. */
#define UNUSED (live[s].id[0] != IDS && live[s].id[IDS / 2] != IDS && live[s].id[IDS - 1] != IDS)
#define STRAY(k, f) d_step { strays > 0 && s == SUBSCRIBER && link[s] == 2 && cur[s] && UNUSED -> strays--; \
	in_kind = k; in_id = IDS; in_msg = NOTHING; in_flag = f; STEP(s_handle) }

/* The client acknowledges its oldest message in a way that it may not: the server has to close. */
#define MAY_NOT(k) (live[s].m[0] != NOTHING && (qos[live[s].m[0]] == 1 && k != PUBACK || \
	qos[live[s].m[0]] == 2 && k == PUBACK || live[s].st[0] == QOS_SEND_AWAIT_PUBREC && k == PUBCOMP))
#define ROGUE(k, f) d_step { rogues > 0 && link[s] == 2 && cur[s] && live[s].n > 0 && MAY_NOT(k) -> rogues--; \
	in_kind = k; in_id = live[s].id[0]; in_msg = NOTHING; in_flag = f; in_rogue = 1; STEP(s_handle) }

/* The client sends a QoS 1 message with an identifier of which a QoS 2 message is not complete. */
#define IN_USE (rogues > 0 && link[s] == 2 && cur[s] && live[s].held && \
	empty(waits[s]) && empty(fresh[s]) && !touched[s])
#define HELD_ID (live[s].held & 2 -> 1 : (live[s].held & 4 -> 2 : 3))

inline judge_rogue(s)
{
	if
	:: in_kind != PUBLISH && conn[s] -> printf("wrong: a breach is passed over\n"); assert(false)
	:: in_kind != PUBLISH && !conn[s] -> skip
	:: else ->
		qos[NOTHING] = 0; forgiven[NOTHING] = 0; turned[NOTHING] = 0;
		if
		:: len(fresh[s]) == 1 && fresh[s]?[PUBACK, eval(in_id), NOTHING, 1] ->
			fresh[s]?kind, id, msg, flag;
			printf("out %d: %d %d %d %d\n", s, kind, id, msg, flag)
		:: else -> printf("wrong: an identifier in use is taken\n"); assert(false)
		fi
	fi
}

#define NOTICE 10
#define REMOVE 11

proctype Link(byte s)
{
	do
	:: over -> break
	:: atomic {
		if
		:: d_step { nempty(up[s]) -> up[s]?INPUT; STEP(s_handle) }
#if REFUSALS > 0
		:: d_step { refusals > 0 && up[s]?[PUBLISH, id, msg, flag] ->
			refusals--; up[s]?INPUT; in_refuse = 1; STEP(s_refuse) }
#endif
		:: d_step { conn[s] && !cur[s] && link[s] == 0 -> in_kind = NOTICE; STEP(s_notice) }
#if ENDS > 0
		:: d_step { ends > 0 && live[s].here && !conn[s] && live[s].away == 1 && link[s] == 0 ->
			ends--; in_kind = REMOVE; STEP(s_remove) }
#endif
#if STRAYS > 0
		:: STRAY(PUBACK, 0)
		:: STRAY(PUBACK, 1)
		:: STRAY(PUBREC, 0)
		:: STRAY(PUBREC, 1)
		:: STRAY(PUBCOMP, 0)
#endif
#if ROGUES > 0
		:: ROGUE(PUBACK, 0)
		:: ROGUE(PUBACK, 1)
		:: ROGUE(PUBREC, 0)
		:: ROGUE(PUBREC, 1)
		:: ROGUE(PUBCOMP, 0)
		:: d_step { IN_USE -> rogues--; in_kind = PUBLISH; in_id = HELD_ID; in_msg = NOTHING; qos[NOTHING] = 1;
			in_rogue = 1; STEP(s_handle) }
		:: d_step { IN_USE && refusals > 0 -> rogues--; refusals--; in_kind = PUBLISH; in_id = HELD_ID; in_msg = NOTHING;
			qos[NOTHING] = 1; in_rogue = 1; in_refuse = 1; STEP(s_refuse) }
#endif
		fi;
		if
		:: in_kind == CONNECT -> d_step { flag = in_flag; connected(s) }
		:: in_kind == PUBLISH -> d_step { id = in_id; msg = in_msg; published(s, in_refuse); skip }
		:: in_kind == PUBREL -> d_step { id = in_id; released(s) }
		:: in_kind == NOTICE -> d_step { drain(up[s]); settle(s); skip }
		:: in_kind == REMOVE -> d_step { ended(s); forget(s); anew[s] = 1; end_dormant(s, SESSION_ON_REMOVED) }
		:: else -> d_step { kind = in_kind; id = in_id; flag = in_flag; acknowledged(s) }
		fi;
		d_step {
			if
			:: in_rogue -> judge_rogue(s)
			:: else
			fi;
			DID; look(); CLEAR
		}
	}
	od
}

/* The Session Expiry Interval is long: no CONNECT and no batch is under way as long, no lost link goes unnoticed. */
#define IDLE(s) (link[s] != 1 && empty(up[s]) && !(conn[s] && !cur[s]))
#if SESSIONS > 1
#define ALL_IDLE (way == 0 && IDLE(0) && IDLE(1))
#else
#define ALL_IDLE (way == 0 && IDLE(0))
#endif

inline pass_time()
{
	for (w : 0 .. SESSIONS - 1) {
		if
		:: disk[w].away == 1 -> disk[w].away = 2
		:: else
		fi;
		if
		:: link[w] == 0 ->
			/* The client can tell the time too. If the store failed to write that the client had gone, the session
			 * lives on after a crash, and Session Present 1 makes a client without state begin anew [MQTT5-3.2.2-4]. */
			ended(w); forget(w);
			if
			:: disk[w].here && disk[w].away == 0 -> anew[w] = 1
			:: else -> none[w] = 1
			fi
		:: else
		fi;
		if
		:: live[w].here && live[w].away == 1 ->
			live[w].away = 2;
			end_dormant(w, SESSION_ON_EXPIRED)
		:: else
		fi
	}
}

/* The server fails; the store has the first `batches` of those under way. Then the server starts again. */
inline crash(batches)
{
	w = 0;
	do
	:: w < batches -> unbatch(1); w++
	:: else -> break
	od;
	do
	:: way > 0 -> unbatch(0)
	:: else -> break
	od;
	for (i : 0 .. SESSIONS - 1) {
		dirty[i] = 0; lost[i] = 0; deleted[i] = 0;
		conn[i] = 0; cur[i] = 0; touched[i] = 0; pend[i] = 0; last[i] = 0; quota[i] = 0;
		broken(i);
		drain(up[i]); drain(down[i]); drain(fresh[i]);
		unwait(i);
		got[i] = 0;
		copy(live[i], disk[i]);
		if
		:: live[i].here ->
			live[i].state = SESSION_DORMANT;
			live[i].next = (live[i].n > 0 -> live[i].id[live[i].n - 1] % IDS + 1 : 1);
			if
			:: live[i].brief || live[i].away == 2 -> end_dormant(i, SESSION_ON_EXPIRED)
			:: else -> live[i].away = 1
			fi
		:: else
		fi
	}
}

#define COMMIT 1
#define FAIL 2
#define CRASH 3
#define EXPIRE 4
#define TICK 5

proctype Store()
{
	do
	:: over -> break
	:: atomic {
		if
		:: d_step { way > 0 -> in_kind = COMMIT; printf("step commit\n") }
		:: d_step { way > 0 && failures > 0 -> failures--; in_kind = FAIL; printf("step fail\n") }
		:: d_step { crashes > 0 -> crashes--; in_kind = CRASH; printf("step crash 0\n") }
		:: d_step { crashes > 0 && way > 0 -> crashes--; in_kind = CRASH; in_id = 1; printf("step crash 1\n") }
#if BATCHES > 1
		:: d_step { crashes > 0 && way > 1 -> crashes--; in_kind = CRASH; in_id = 2; printf("step crash 2\n") }
#endif
#if ENDS > 0
		:: d_step { ends > 0 && ALL_IDLE -> ends--; in_kind = EXPIRE; printf("step expire\n") }
#endif
#if TOGETHER
		:: d_step { open_tick -> open_tick = 0; in_kind = TICK; printf("step tick\n") }
#endif
		fi;
		if
		:: in_kind == COMMIT || in_kind == FAIL -> d_step {
			unbatch(in_kind == COMMIT);
			if
			:: in_kind == FAIL && FAULT != TOLD_WRONG ->
				for (w : 0 .. SESSIONS - 1) {
					if
					:: pend[w] & 1 -> cut(w)
					:: else
					fi
				}
			:: else
			fi;
			renumber();
			skip }
		:: in_kind == CRASH -> d_step { crash(in_id); open_tick = 0 }
		:: in_kind == EXPIRE -> d_step { pass_time(); skip }
		:: else
		fi;
		d_step { tick(); open_tick = 0; look(); CLEAR }
	}
	:: d_step { !over && ALL_FINAL && ALL_QUIET -> printf("step over\n"); over = 1;
		for (k : 0 .. MESSAGES - 1) {
			if
			:: fate[k] == DONE && !forgiven[k] && app[k] == 0 -> printf("wrong: message %d is lost\n", k); assert(false)
			:: else
			fi
		}
		skip }
	od
}

init {
	byte n;
	atomic {
		n = 0;
		do
		:: n < MESSAGES ->
			if
			:: qos[n] = 1
			:: qos[n] = 2
			fi;
			printf("qos %d %d\n", n, qos[n]);
			n++
		:: else -> break
		od;
		for (n : 0 .. SESSIONS - 1) {
			run Client(n);
			run Link(n)
		}
		run Store()
	}
}
