/* SPDX-License-Identifier: MIT */
/* mqttload: a single-threaded epoll load generator for MQTT 3.1.1 and 5.0.
 *
 * Build:  cc -O2 -o mqttload mqttload.c
 * One run prints one line of JSON. Every message carries its publisher, a sequence number and a time stamp, and every
 * delivery is checked: length, topic, QoS, order per publisher, no loss, no duplicate.
 * It talks to 127.0.0.0/8 only. README.md says what each scenario measures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* ------------------------------------------------------------- options */
static const char *o_scn = "", *o_host = "127.0.0.1", *o_label = "", *o_filter = "#", *o_prefix = "load", *o_user = 0,
                  *o_pass = 0;
static int o_port = 1883, o_ver = 4, o_clients = 10, o_size = 64, o_qos = 0, o_window = 100, o_cc = 64;
static int o_subs = 1000, o_conns = 40, o_pubs = 4, o_perwrite = 0, o_burst = 1, o_uprop = 0, o_srcips = 1;
static int o_repeat = 1, o_waiteof = 0, o_probe = 100, o_nohold = 0, o_keepalive = 0, o_busy = 0, o_rqos = 1;
static int o_spread = 1, o_ballast = 0, o_persistent = 0;
static long o_msgs = 0;
static double o_time = 2.0, o_warm = 0.3, o_rate = 0, o_hold = 1.0, o_stall = 5.0, o_setup = 60.0, o_quiesce = 5.0;
static int o_pids[64], o_npids = 0;

/* ------------------------------------------------------------- helpers */
static u64 now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void die(const char *f, ...) {
    va_list a;
    char b[400];
    va_start(a, f);
    vsnprintf(b, sizeof b, f, a);
    va_end(a);
    for (char *p = b; *p; p++)
        if (*p == '"' || *p == '\\' || (u8)*p < 32) *p = '\'';
    printf("{\"scenario\":\"%s\",\"label\":\"%s\",\"error\":\"%s\"}\n", o_scn, o_label, b);
    fflush(stdout);
    exit(2);
}

static void *xalloc(size_t n) {
    void *p = calloc(1, n ? n : 1);
    if (!p) die("out of memory");
    return p;
}

static void *xrealloc(void *o, size_t n) {
    void *p = realloc(o, n);
    if (!p) die("out of memory");
    return p;
}

static u64 rng = 88172645463325252ull;

static u64 rnd(void) {
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

/* log-linear histogram of nanoseconds, about 1.5 % resolution */
#define HB 64
static u64 hist[64 * HB], hcount, hmax;

static void hadd(u64 v) {
    u32 i;
    if (v > hmax) hmax = v;
    hcount++;
    if (v < HB)
        i = v;
    else {
        int e = 63 - __builtin_clzll(v);
        i = (e - 5) * HB + ((v >> (e - 6)) & (HB - 1));
    }
    hist[i]++;
}

static double hq(double q) { /* microseconds */
    u64 want = (u64)(q * hcount), acc = 0;
    if (!hcount) return 0;
    for (u32 i = 0; i < 64 * HB; i++) {
        acc += hist[i];
        if (acc > want || acc == hcount) {
            if (i < HB) return i / 1e3;
            int e = i / HB + 5;
            return (double)((1ull << e) + ((u64)(i % HB) << (e - 6))) / 1e3;
        }
    }
    return hmax / 1e3;
}

/* CPU time (ns) and memory of the watched processes, read from /proc */
static u64 cpu_watched(void) {
    u64 tot = 0;
    char pth[300], b[128];
    for (int i = 0; i < o_npids; i++) {
        snprintf(pth, sizeof pth, "/proc/%d/task", o_pids[i]);
        DIR *d = opendir(pth);
        struct dirent *e;
        if (!d) continue;
        while ((e = readdir(d)))
            if (e->d_name[0] != '.') {
                snprintf(pth, sizeof pth, "/proc/%d/task/%s/schedstat", o_pids[i], e->d_name);
                int f = open(pth, O_RDONLY);
                if (f < 0) continue;
                ssize_t n = read(f, b, sizeof b - 1);
                close(f);
                if (n > 0) {
                    b[n] = 0;
                    tot += strtoull(b, 0, 10);
                }
            }
        closedir(d);
    }
    return tot;
}

static void mem_watched(long *rss, long *hwm) {
    char pth[64], line[256];
    *rss = *hwm = 0;
    for (int i = 0; i < o_npids; i++) {
        snprintf(pth, sizeof pth, "/proc/%d/status", o_pids[i]);
        FILE *f = fopen(pth, "r");
        if (!f) continue;
        while (fgets(line, sizeof line, f)) {
            if (!strncmp(line, "VmRSS:", 6)) *rss += atol(line + 6);
            if (!strncmp(line, "VmHWM:", 6)) *hwm += atol(line + 6);
        }
        fclose(f);
    }
}

static u64 cpu_self(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000000ull +
           (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000ull;
}

/* ------------------------------------------------------------- state */
enum { S_NEW, S_CONN, S_CONNACK, S_SUB, S_READY, S_CLOSED };

enum { R_SUB, R_PUB, R_PLAIN };

typedef struct conn {
    int fd, idx;
    u8 st, role, want_out, dirty, noin, ackdrop;
    u16 subpid;
    u16 recvmax;
    u16 aliasmax;
    u8 *in;
    u32 inlen, incap;
    u8 *out;
    u32 oh, ot, ocap;
    u32 f0, fn, fnext, fpend; /* filters f0 .. f0+fn-1, next one, in the pending SUBSCRIBE */
    u64 t0, rx;
} conn;

typedef struct tmpl {
    u8 *b;
    u32 len, pidoff, propoff, payoff, expect;
    char *topic;
    u16 tlen;
} tmpl;

typedef struct pub {
    conn *c;
    u32 t0, tn, tstep;
    u64 sent, acked, base, limit;
    u32 *rem;
    u32 mask;
    u8 dirty;
    u32 idn, idnext;
    u8 *idst;
} pub;

static conn *C;
static int NC;
static pub *P;
static int NP, NS;
static tmpl *T;
static u32 NT;
static char **F;
static u32 NF;
static u32 *expct;     /* next sequence per (subscriber, publisher) */
static int strict = 1; /* 0: a subscriber gets only some messages of a publisher (wild, idle) */
static u32 *topx;      /* if not strict: next sequence per (subscriber, publisher, topic) */
static int ep, stop_sending, suback_qos = 0;
static u64 delivered, sent_total, lost, dups, reorder, badmsg, badqos, badack, rejected, srv_close, outstanding_rx,
    xorder;
static u64 ready_count, fail_conn, last_progress, now;
static int rec_lat;
static conn **dirtyv;
static int ndirty;
static pub **pdirty;
static int npdirty;
static u8 cur_h; /* first byte of the current PUBLISH */
static void (*on_delivery)(conn *, u32 pubi, u32 seq) = 0;
static char lasterr[200];

static void obuf(conn *c, u32 n) {
    if (c->ot + n <= c->ocap) return;
    if (c->oh) {
        memmove(c->out, c->out + c->oh, c->ot - c->oh);
        c->ot -= c->oh;
        c->oh = 0;
    }
    if (c->ot + n > c->ocap) {
        while (c->ocap < c->ot + n)
            c->ocap = c->ocap ? c->ocap * 2 : 256;
        c->out = xrealloc(c->out, c->ocap);
    }
}

static void mark(conn *c) {
    if (!c->dirty) {
        c->dirty = 1;
        dirtyv[ndirty++] = c;
    }
}

static void setev(conn *c) {
    struct epoll_event e = {.events = (c->noin ? 0 : EPOLLIN) | (c->want_out ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static void closec(conn *c) {
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    c->st = S_CLOSED;
    c->oh = c->ot = 0;
    c->inlen = 0;
    c->want_out = 0;
}

static void lostc(conn *c, const char *why) {
    srv_close++;
    snprintf(lasterr, sizeof lasterr, "%s on connection %d (state %d): %s", why, c->idx, c->st, strerror(errno));
    closec(c);
}

static void flushc(conn *c) {
    if (c->fd < 0) return;
    while (c->oh < c->ot) {
        ssize_t n = send(c->fd, c->out + c->oh, c->ot - c->oh, MSG_NOSIGNAL);
        if (n > 0) {
            c->oh += n;
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            if (!c->want_out) {
                c->want_out = 1;
                setev(c);
            }
            return;
        }
        lostc(c, "send");
        return;
    }
    c->oh = c->ot = 0;
    if (c->want_out) {
        c->want_out = 0;
        setev(c);
    }
}

static u8 *putlen(u8 *p, u32 n) {
    do {
        u8 b = n & 127;
        n >>= 7;
        if (n) b |= 128;
        *p++ = b;
    } while (n);
    return p;
}

static u32 lenlen(u32 n) {
    return n < 128 ? 1 : n < 16384 ? 2 : n < 2097152 ? 3 : 4;
}

static void put_connect(conn *c, const char *cid) {
    u32 l = strlen(cid), ul = o_user ? strlen(o_user) : 0, wl = o_pass ? strlen(o_pass) : 0;
    int keep = o_persistent && c->role == R_SUB; /* the session outlives the connection */
    u32 rl = 10 + (o_ver == 5 ? keep ? 6 : 1 : 0) + 2 + l + (o_user ? 2 + ul : 0) + (o_pass ? 2 + wl : 0);
    obuf(c, rl + 5);
    u8 *p = c->out + c->ot;
    *p++ = 0x10;
    p = putlen(p, rl);
    memcpy(p, "\0\4MQTT", 6);
    p += 6;
    *p++ = o_ver;
    *p++ = (keep && o_ver == 4 ? 0 : 2) | (o_user ? 0x80 : 0) | (o_pass ? 0x40 : 0);
    *p++ = o_keepalive >> 8;
    *p++ = o_keepalive;
    if (o_ver == 5 && keep) {
        memcpy(p, "\5\x11\0\0\x0e\x10", 6); /* Session Expiry Interval: an hour */
        p += 6;
    } else if (o_ver == 5)
        *p++ = 0;
    *p++ = l >> 8;
    *p++ = l;
    memcpy(p, cid, l);
    p += l;
    if (o_user) {
        *p++ = ul >> 8;
        *p++ = ul;
        memcpy(p, o_user, ul);
        p += ul;
    }
    if (o_pass) {
        *p++ = wl >> 8;
        *p++ = wl;
        memcpy(p, o_pass, wl);
        p += wl;
    }
    c->ot = p - c->out;
}

static void put_subscribe(conn *c) {
    u32 n = c->fn - c->fnext, rl = 2 + (o_ver == 5);
    if (n > 50) n = 50;
    for (u32 i = 0; i < n; i++)
        rl += 3 + strlen(F[c->f0 + c->fnext + i]);
    obuf(c, rl + 5);
    u8 *p = c->out + c->ot;
    *p++ = 0x82;
    p = putlen(p, rl);
    c->subpid++;
    if (!c->subpid) c->subpid = 1;
    *p++ = c->subpid >> 8;
    *p++ = c->subpid;
    if (o_ver == 5) *p++ = 0;
    for (u32 i = 0; i < n; i++) {
        char *f = F[c->f0 + c->fnext + i];
        u32 l = strlen(f);
        *p++ = l >> 8;
        *p++ = l;
        memcpy(p, f, l);
        p += l;
        *p++ = suback_qos;
    }
    c->ot = p - c->out;
    c->fpend = n;
}

static void put4(conn *c, u8 h, u16 id) {
    obuf(c, 4);
    u8 *p = c->out + c->ot;
    p[0] = h;
    p[1] = 2;
    p[2] = id >> 8;
    p[3] = id;
    c->ot += 4;
}

/* Where the values of the user properties end: each message has its number there. Of all templates the same. */
static u32 propend[200];

static void newpub_tmpl(tmpl *t, const char *topic, int size, int retain, u32 expect) {
    u32 tl = strlen(topic), pl = 0;
    u8 props[8192], *q = props;
    if (o_ver == 5)
        for (int i = 0; i < o_uprop; i++) {
            char k[24], v[24];
            int a = sprintf(k, "key-%d", i), b = sprintf(v, "value-%d-000000", i);
            *q++ = 0x26;
            *q++ = 0;
            *q++ = a;
            memcpy(q, k, a);
            q += a;
            *q++ = 0;
            *q++ = b;
            memcpy(q, v, b);
            q += b;
            propend[i] = q - props;
        }
    pl = q - props;
    int qos = retain == 2 ? 0 : retain ? o_rqos : o_qos;
    u32 rl = 2 + tl + (qos ? 2 : 0) + (o_ver == 5 ? lenlen(pl) + pl : 0) + size;
    t->b = xalloc(rl + 5);
    u8 *p = t->b;
    *p++ = 0x30 | qos << 1 | (retain == 1);
    p = putlen(p, rl);
    *p++ = tl >> 8;
    *p++ = tl;
    memcpy(p, topic, tl);
    p += tl;
    if (qos) {
        t->pidoff = p - t->b;
        p += 2;
    }
    if (o_ver == 5) {
        p = putlen(p, pl);
        t->propoff = p - t->b;
        memcpy(p, props, pl);
        p += pl;
    }
    t->payoff = p - t->b;
    for (int i = 0; i < size; i++)
        p[i] = (u8)(i * 7 + 3);
    p += size;
    t->len = p - t->b;
    t->expect = expect;
    t->topic = strdup(topic);
    t->tlen = tl;
}

static tmpl *tmpl_of(pub *p, u64 seq) {
    return &T[p->t0 + (u32)((seq * p->tstep) % p->tn)];
}

/* true if the window of this publisher has room for another message */
static int roomp(pub *p) {
    if (p->c->st != S_READY || p->sent >= p->limit) return 0;
    int64_t r = (int64_t)o_window - (int64_t)(p->sent - p->base);
    if (o_qos) {
        int64_t w = o_window < p->c->recvmax ? o_window : p->c->recvmax, a = w - (int64_t)(p->sent - p->acked);
        if (a < r) r = a;
    }
    if ((u64)r > p->limit - p->sent && r > 0) r = p->limit - p->sent;
    return r > 0 ? (int)r : 0;
}

static void emit(pub *p, u64 stamp) {
    conn *c = p->c;
    tmpl *t = tmpl_of(p, p->sent);
    u32 seq = p->sent, pi = p - P;
    obuf(c, t->len);
    u8 *b = c->out + c->ot;
    memcpy(b, t->b, t->len);
    c->ot += t->len;
    if (t->pidoff) {
        u32 k;
        for (k = 0; k < p->idn && p->idst[p->idnext]; k++)
            p->idnext = p->idnext % p->idn + 1;
        u32 id = p->idnext;
        p->idst[id] = 1;
        p->idnext = id % p->idn + 1;
        b[t->pidoff] = id >> 8;
        b[t->pidoff + 1] = id;
    } else
        p->acked++;
    if (o_ver == 5)
        for (int i = 0; i < o_uprop; i++) {
            u8 *digit = b + t->propoff + propend[i];
            for (u32 left = seq, k = 0; k < 6; k++, left /= 10)
                *--digit = '0' + left % 10;
        }
    u8 *y = b + t->payoff;
    memcpy(y, &seq, 4);
    memcpy(y + 4, &pi, 4);
    memcpy(y + 8, &stamp, 8);
    p->rem[p->sent & p->mask] = t->expect;
    p->sent++;
    sent_total++;
    while (p->base < p->sent && !p->rem[p->base & p->mask])
        p->base++;
}

static void pump(pub *p) {
    if (stop_sending || o_rate > 0) return;
    int r = roomp(p);
    if (!r) return;
    if (r < o_burst && p->limit - p->sent > (u64)r) return;
    conn *c = p->c;
    u64 t = now_ns();
    if (o_perwrite) {
        while (r-- && !c->want_out) {
            emit(p, t);
            flushc(c);
        }
    } else {
        while (r-- && c->ot - c->oh < 262144)
            emit(p, t);
        mark(c);
    }
}

static void pwake(pub *p) {
    if (!p->dirty) {
        p->dirty = 1;
        pdirty[npdirty++] = p;
    }
}

static void rx_publish(conn *c, u8 h, u8 *p, u32 len) {
    u8 *e = p + len;
    int q = (h >> 1) & 3;
    u32 tl, pid = 0;
    if (len < 2) goto bad;
    tl = p[0] << 8 | p[1];
    u8 *topic = p + 2;
    p += 2 + tl;
    if (p + (q ? 2 : 0) > e) goto bad;
    if (q) {
        pid = p[0] << 8 | p[1];
        p += 2;
        if (!pid) goto bad;
    }
    if (o_ver == 5) {
        u32 n = 0, s = 0;
        do {
            if (p >= e || s > 21) goto bad;
            n |= (*p & 127) << s;
            s += 7;
        } while (*p++ & 128);
        p += n;
        if (p > e) goto bad;
    }
    if (q == 1) {
        put4(c, 0x40, pid);
        mark(c);
    } else if (q == 2) {
        put4(c, 0x50, pid);
        outstanding_rx++;
        mark(c);
    }
    c->rx++;
    last_progress = now;
    cur_h = h;
    if (e - p < 16) goto bad;
    u32 seq, pi;
    u64 ts;
    memcpy(&seq, p, 4);
    memcpy(&pi, p + 4, 4);
    memcpy(&ts, p + 8, 8);
    if (on_delivery) {
        on_delivery(c, pi, seq);
        delivered++;
        if (e - p != o_size) badmsg++;
        return;
    }
    if (pi >= (u32)NP || c->idx >= NS || e - p != o_size) goto bad;
    pub *pb = &P[pi];
    if (seq >= pb->sent) goto bad;
    tmpl *t = tmpl_of(pb, seq);
    if (t->tlen != tl || memcmp(topic, t->topic, tl) || e[-1] != t->b[t->len - 1]) goto bad;
    if (q != (o_qos < suback_qos ? o_qos : suback_qos)) badqos++;
    u32 *x = &expct[(size_t)c->idx * NP + pi];
    if (!strict) {
        if (seq < *x)
            xorder++;
        else
            *x = seq; /* order is guaranteed per topic only */
        x = &topx[((size_t)c->idx * NP + pi) * NT + (t - T)];
    }
    if (seq < *x) {
        if (h & 8 || o_qos == 1)
            dups++;
        else {
            dups++;
            reorder++;
        }
        return;
    }
    if (seq > *x && strict) lost += seq - *x;
    *x = seq + 1;
    delivered++;
    if (rec_lat) hadd(now > ts ? now - ts : 0);
    if (seq >= pb->base) {
        u32 *r = &pb->rem[seq & pb->mask];
        if (*r) --*r;
        if (seq == pb->base) {
            while (pb->base < pb->sent && !pb->rem[pb->base & pb->mask])
                pb->base++;
            pwake(pb);
        }
    }
    return;
bad:
    badmsg++;
}

static int vlen(u8 **p, u8 *e, u32 *v) {
    u32 s = 0;
    *v = 0;
    do {
        if (*p >= e || s > 21) return -1;
        *v |= (**p & 127) << s;
        s += 7;
    } while (*(*p)++ & 128);
    return 0;
}

static void connack(conn *c, u8 *p, u32 len) {
    if (len < 2 || p[1]) {
        fail_conn++;
        snprintf(lasterr, sizeof lasterr, "CONNACK code %d", len > 1 ? p[1] : -1);
        closec(c);
        return;
    }
    c->recvmax = 65535;
    u8 *e = p + len;
    p += 2;
    u32 n;
    if (o_ver == 5 && !vlen(&p, e, &n)) {
        if (p + n < e) e = p + n;
        while (p < e) {
            u8 id = *p++;
            u32 k;
            switch (id) {
            case 0x21:
                c->recvmax = p[0] << 8 | p[1];
                p += 2;
                break;
            case 0x22:
                c->aliasmax = p[0] << 8 | p[1];
                p += 2;
                break;
            case 0x13:
                p += 2;
                break;
            case 0x11:
            case 0x27:
                p += 4;
                break;
            case 0x24:
            case 0x25:
            case 0x28:
            case 0x29:
            case 0x2A:
                p++;
                break;
            case 0x12:
            case 0x1A:
            case 0x1C:
            case 0x15:
            case 0x16:
            case 0x1F:
                k = p[0] << 8 | p[1];
                p += 2 + k;
                break;
            case 0x26:
                k = p[0] << 8 | p[1];
                p += 2 + k;
                k = p[0] << 8 | p[1];
                p += 2 + k;
                break;
            default:
                p = e;
            }
        }
    }
    if (c->fn) {
        c->st = S_SUB;
        c->fnext = 0;
        put_subscribe(c);
        mark(c);
    } else {
        c->st = S_READY;
        ready_count++;
    }
}

static void rx(conn *c, u8 h, u8 *p, u32 len) {
    u32 id = len >= 2 ? p[0] << 8 | p[1] : 0;
    pub *pb = c->role == R_PUB ? &P[c->idx] : 0;
    switch (h >> 4) {
    case 2:
        last_progress = now;
        connack(c, p, len);
        break;
    case 3:
        rx_publish(c, h, p, len);
        break;
    case 4:
        if (!pb || id > pb->idn || pb->idst[id] != 1) {
            badack++;
            break;
        }
        if (len > 2 && p[2] >= 0x80) rejected++;
        pb->idst[id] = 0;
        pb->acked++;
        last_progress = now;
        pwake(pb);
        break;
    case 5:
        if (!pb || id > pb->idn || pb->idst[id] != 1) {
            badack++;
            break;
        }
        if (len > 2 && p[2] >= 0x80) {
            rejected++;
            pb->idst[id] = 0;
            pb->acked++;
            pwake(pb);
            break;
        }
        pb->idst[id] = 2;
        put4(c, 0x62, id);
        mark(c);
        last_progress = now;
        break;
    case 6:
        put4(c, 0x70, id);
        mark(c);
        if (outstanding_rx) outstanding_rx--;
        last_progress = now;
        break;
    case 7:
        if (!pb || id > pb->idn || pb->idst[id] != 2) {
            badack++;
            break;
        }
        pb->idst[id] = 0;
        pb->acked++;
        last_progress = now;
        pwake(pb);
        break;
    case 9: {
        last_progress = now;
        u8 *e = p + len;
        p += 2;
        u32 n;
        if (o_ver == 5) {
            if (vlen(&p, e, &n)) break;
            p += n;
        }
        for (; p < e; p++)
            if (*p >= 0x80) {
                fail_conn++;
                snprintf(lasterr, sizeof lasterr, "SUBACK code 0x%02x", *p);
            }
        c->fnext += c->fpend;
        if (c->fnext < c->fn) {
            put_subscribe(c);
            mark(c);
        } else if (c->st == S_SUB) {
            c->st = S_READY;
            ready_count++;
        }
        break;
    }
    case 13:
        c->rx++;
        last_progress = now;
        break;
    case 14:
        snprintf(lasterr, sizeof lasterr, "server DISCONNECT 0x%02x", len ? p[0] : 0);
        srv_close++;
        closec(c);
        break;
    default:
        badmsg++;
    }
}

static u8 rb[1 << 18];
static u64 rcalls, rbytes;

static void readc(conn *c) {
    u32 have = c->inlen, room = sizeof rb - have;
    if (have) memcpy(rb, c->in, have);
    if (room < 4096) die("packet larger than the read buffer");
    ssize_t n = recv(c->fd, rb + have, room, 0);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        lostc(c, "recv");
        return;
    }
    if (n == 0) {
        errno = 0;
        if (c->st == S_CLOSED) return;
        lostc(c, "closed by server");
        return;
    }
    now = now_ns();
    rcalls++;
    rbytes += n;
    u32 len = have + n, i = 0;
    while (i + 2 <= len) {
        u32 v = 0, s = 0, k = i + 1;
        int more = 1;
        while (k < len) {
            v |= (rb[k] & 127) << s;
            s += 7;
            if (!(rb[k++] & 128)) {
                more = 0;
                break;
            }
            if (s > 21) die("bad remaining length");
        }
        if (more || k + v > len) break;
        rx(c, rb[i], rb + k, v);
        i = k + v;
        if (c->st == S_CLOSED) return;
    }
    u32 left = len - i;
    if (left > c->incap) {
        c->incap = left < 512 ? 512 : left * 2;
        c->in = xrealloc(c->in, c->incap);
    }
    if (left) memcpy(c->in, rb + i, left);
    c->inlen = left;
}

static u32 srcseq;

static void openc(conn *c, const char *cid) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(o_port)};
    inet_pton(AF_INET, o_host, &a.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (o_srcips > 1) {
        struct sockaddr_in s = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002u + srcseq++ % o_srcips)};
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        bind(c->fd, (void *)&s, sizeof s);
    }
    if (connect(c->fd, (void *)&a, sizeof a) < 0 && errno != EINPROGRESS) die("connect: %s", strerror(errno));
    c->oh = c->ot = c->inlen = 0;
    c->st = S_CONNACK;
    c->t0 = now_ns();
    c->want_out = 0;
    c->recvmax = 65535;
    c->fnext = 0;
    put_connect(c, cid);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    flushc(c); /* on loopback the connection is usually up already */
}

static void flush_all(void) {
    for (int i = 0; i < npdirty; i++) {
        pdirty[i]->dirty = 0;
        pump(pdirty[i]);
    }
    npdirty = 0;
    for (int i = 0; i < ndirty; i++) {
        conn *c = dirtyv[i];
        c->dirty = 0;
        if (!c->want_out) flushc(c);
    }
    ndirty = 0;
}

static int poll_once(int64_t ns) {
    static struct epoll_event ev[1024];
    int n;
    if (ns < 0) ns = 0;
    struct timespec ts = {ns / 1000000000, ns % 1000000000};
    n = epoll_pwait2(ep, ev, 1024, &ts, 0);
    now = now_ns();
    for (int i = 0; i < n; i++) {
        conn *c = ev[i].data.ptr;
        if (c->fd < 0) continue;
        if (ev[i].events & EPOLLOUT) {
            flushc(c);
            if (c->role == R_PUB && c->st == S_READY && !c->want_out) pwake(&P[c->idx]);
        }
        if (c->fd >= 0 && ev[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
            if (c->noin && !(ev[i].events & EPOLLIN)) continue;
            readc(c);
        }
    }
    flush_all();
    return n;
}

/* connect connections a..b-1, at most o_cc at a time, until all are subscribed */
static double setup(int a, int b) {
    u64 t0 = now_ns();
    int next = a;
    u64 r0 = ready_count;
    char cid[64];
    last_progress = t0;
    while (ready_count - r0 < (u64)(b - a)) {
        while (next < b && next - a - (int)(ready_count - r0) < o_cc) {
            snprintf(cid, sizeof cid, "ml%d-%d", (int)getpid() % 100000, next);
            openc(&C[next], cid);
            next++;
        }
        poll_once(20000000);
        if (fail_conn || srv_close) die("setup: %s", lasterr);
        if (now - last_progress > o_setup * 1e9)
            die("setup stalled at %llu of %d", (unsigned long long)(ready_count - r0), b - a);
    }
    return (now_ns() - t0) / 1e9;
}

static void alloc_conns(int n) {
    C = xalloc(n * sizeof *C);
    NC = n;
    dirtyv = xalloc((n + 1) * sizeof *dirtyv);
    for (int i = 0; i < n; i++)
        C[i].fd = -1;
}

static void alloc_pubs(int n, int first_conn) {
    P = xalloc(n * sizeof *P);
    NP = n;
    pdirty = xalloc((n + 1) * sizeof *pdirty);
    u32 m = 1;
    while (m < (u32)o_window + 2)
        m <<= 1;
    for (int i = 0; i < n; i++) {
        pub *p = &P[i];
        p->c = &C[first_conn + i];
        p->c->role = R_PUB;
        p->c->idx = i;
        p->mask = m - 1;
        p->rem = xalloc(m * 4);
        p->limit = o_msgs ? (u64)o_msgs : ~0ull;
        p->idn = o_window * 4 + 16 > 65535 ? 65535 : o_window * 4 + 16;
        p->idnext = 1;
        p->idst = xalloc(p->idn + 2);
        p->tn = 1;
        p->tstep = 1;
    }
}

static void set_subs(int a, int n) {
    NS = n;
    for (int i = 0; i < n; i++) {
        C[a + i].role = R_SUB;
        C[a + i].idx = i;
    }
    expct = xalloc((size_t)n * (NP ? NP : 1) * 4);
}

static int drained(void) {
    for (int i = 0; i < NP; i++)
        if (P[i].base < P[i].sent || P[i].acked < P[i].sent) return 0;
    return !outstanding_rx;
}

static int finished(void) {
    for (int i = 0; i < NP; i++)
        if (P[i].limit == ~0ull || P[i].sent < P[i].limit) return 0;
    return drained();
}

static u64 W_t0, W_t1, W_d0, W_d1, W_s0, W_s1, W_b0, W_b1, W_l0, W_l1;
static int stalled;

static void snap0(void) {
    W_t0 = now_ns();
    W_d0 = delivered;
    W_s0 = sent_total;
    W_b0 = cpu_watched();
    W_l0 = cpu_self();
    rec_lat = 1;
}

static void snap1(void) {
    W_t1 = now_ns();
    W_d1 = delivered;
    W_s1 = sent_total;
    W_b1 = cpu_watched();
    W_l1 = cpu_self();
    rec_lat = 0;
}

/* the measured phase, shared by p2p, fanout, fanin, latency, wild */
static void run_phase(void) {
    u64 start = now_ns(), wstart, wend, k = 0;
    now = start;
    last_progress = now;
    if (o_msgs) {
        wstart = start;
        wend = ~0ull;
        snap0();
    } else {
        wstart = start + o_warm * 1e9;
        wend = wstart + o_time * 1e9;
    }
    int begun = o_msgs != 0, ended = 0;
    double iv = o_rate > 0 ? 1e9 / o_rate : 0;
    for (int i = 0; i < NP; i++)
        pwake(&P[i]);
    flush_all();
    for (;;) {
        int64_t wait = 20000000;
        now = now_ns();
        if (o_rate > 0 && !stop_sending) {
            while (start + (u64)(k * iv) <= now) {
                pub *p = &P[k % NP];
                if (!roomp(p)) break;
                emit(p, start + (u64)(k * iv));
                mark(p->c);
                k++;
            }
            flush_all();
            int64_t d = (int64_t)(start + (u64)(k * iv)) - (int64_t)now_ns();
            wait = d < 0 ? 100000 : d;
            if (wait > 20000000) wait = 20000000;
        }
        poll_once(o_busy ? 0 : wait);
        if (!begun && now >= wstart) {
            begun = 1;
            snap0();
        }
        if (!ended && now >= wend) {
            ended = 1;
            snap1();
            stop_sending = 1;
            last_progress = now;
        }
        if (!ended && o_msgs && finished()) {
            ended = 1;
            snap1();
            break;
        }
        if (ended && drained()) break;
        if (srv_close) {
            if (!ended) snap1();
            break;
        }
        if (now - last_progress > o_stall * 1e9) {
            stalled = 1;
            if (!ended) {
                if (!begun) snap0();
                snap1();
            }
            break;
        }
    }
    if (stalled || srv_close)
        for (int i = 0; i < NP; i++)
            for (u64 s = P[i].base; s < P[i].sent; s++)
                lost += P[i].rem[s & P[i].mask];
}

static void head(void) {
    printf("{\"scenario\":\"%s\",\"label\":\"%s\",\"mqtt\":\"%s\",\"qos\":%d,\"size\":%d,\"clients\":%d,\"window\":%d",
           o_scn, o_label, o_ver == 5 ? "5.0" : "3.1.1", o_qos, o_size, o_clients, o_window);
}

static void tail(void) {
    long rss, hwm;
    mem_watched(&rss, &hwm);
    int ok = !lost && !reorder && !badmsg && !badqos && !badack && !rejected && !srv_close && !fail_conn && !stalled &&
             !(dups && o_qos != 1);
    printf(",\"lost\":%llu,\"dup\":%llu,\"reorder\":%llu,\"bad\":%llu,\"badqos\":%llu,\"badack\":%llu,\"rejected\":%"
           "llu,\"closed\":%llu,\"stalled\":%d",
           (unsigned long long)lost, (unsigned long long)dups, (unsigned long long)reorder, (unsigned long long)badmsg,
           (unsigned long long)badqos, (unsigned long long)badack, (unsigned long long)rejected,
           (unsigned long long)srv_close, stalled);
    if (xorder) printf(",\"cross_topic_reorder\":%llu", (unsigned long long)xorder);
    if (o_npids) printf(",\"rss_kb\":%ld,\"hwm_kb\":%ld", rss, hwm);
    if (lasterr[0]) {
        for (char *p = lasterr; *p; p++)
            if (*p == '"' || *p == '\\') *p = '\'';
        printf(",\"note\":\"%s\"", lasterr);
    }
    printf(",\"ok\":%s}\n", ok ? "true" : "false");
    fflush(stdout);
}

static void report_window(void) {
    double el = (W_t1 - W_t0) / 1e9;
    u64 d = W_d1 - W_d0, s = W_s1 - W_s0;
    if (el <= 0) el = 1e-9;
    printf(",\"elapsed_s\":%.4f,\"published\":%llu,\"delivered\":%llu,\"rate\":%.1f,\"pub_rate\":%.1f", el,
           (unsigned long long)s, (unsigned long long)d, d / el, s / el);
    printf(",\"lg_cpu\":%.3f", (W_l1 - W_l0) / 1e9 / el);
    if (o_npids)
        printf(",\"cpu_s\":%.4f,\"cpu_frac\":%.3f,\"cpu_us_msg\":%.3f", (W_b1 - W_b0) / 1e9, (W_b1 - W_b0) / 1e9 / el,
               d ? (W_b1 - W_b0) / 1e3 / d : 0.0);
    if (hcount)
        printf(",\"lat_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", hq(.5), hq(.9),
               hq(.99), hq(.999), hmax / 1e3);
}

static char *fmt(const char *f, ...) {
    char b[256];
    va_list a;
    va_start(a, f);
    vsnprintf(b, sizeof b, f, a);
    va_end(a);
    return strdup(b);
}

/* ------------------------------------------------------------- scenarios */
/* Filters that match no published topic, but are as close to them in the tree as possible. */
static char *ballast_filter(int i, int n) {
    switch (i % 5) {
    case 0:
        return fmt("%s/p2p/%d/b%d", o_prefix, i / 5 % n, i);
    case 1:
        return fmt("%s/p2p/+/b%d", o_prefix, i);
    case 2:
        return fmt("%s/+/%d/b%d", o_prefix, i / 5 % n, i);
    case 3:
        return fmt("+/p2p/+/b%d/#", i);
    default:
        return fmt("%s/b%d/#", o_prefix, i);
    }
}

/* p2p and latency: n pairs; o_spread topics per publisher, matched by one `+`; o_ballast other subscriptions */
static void sc_p2p(void) {
    int n = o_clients, b = !o_ballast ? 0 : o_ballast < 20 ? o_ballast : 20;
    alloc_conns(2 * n + b);
    alloc_pubs(n, n);
    set_subs(0, n);
    NT = n * o_spread;
    T = xalloc(NT * sizeof *T);
    NF = n + o_ballast;
    F = xalloc(NF * sizeof *F);
    for (int i = 0; i < n; i++) {
        F[i] = o_spread > 1 ? fmt("%s/p2p/%d/+", o_prefix, i) : fmt("%s/p2p/%d", o_prefix, i);
        for (int k = 0; k < o_spread; k++) {
            char *topic = o_spread > 1 ? fmt("%s/p2p/%d/%d", o_prefix, i, k) : fmt("%s", F[i]);
            newpub_tmpl(&T[i * o_spread + k], topic, o_size, 0, 1);
            free(topic);
        }
        C[i].f0 = i;
        C[i].fn = 1;
        P[i].t0 = i * o_spread;
        P[i].tn = o_spread;
    }
    double su = 0;
    long r0, r1, hw;
    mem_watched(&r0, &hw);
    for (int i = 0; i < o_ballast; i++)
        F[n + i] = ballast_filter(i, n);
    for (int i = 0; i < b; i++) {
        conn *c = &C[2 * n + i];
        c->role = R_SUB;
        c->idx = n + i; /* beyond NS: any delivery to it is wrong */
        c->f0 = n + (u32)((u64)o_ballast * i / b);
        c->fn = n + (u32)((u64)o_ballast * (i + 1) / b) - c->f0;
    }
    if (b) su = setup(2 * n, 2 * n + b);
    mem_watched(&r1, &hw);
    setup(0, 2 * n);
    run_phase();
    head();
    if (b)
        printf(",\"ballast\":%d,\"sub_rate\":%.0f,\"sub_bytes\":%.0f", o_ballast, o_ballast / su,
               (r1 - r0) * 1024.0 / o_ballast);
    report_window();
    tail();
}

static void sc_fanout(void) {
    int n = o_clients;
    alloc_conns(n + 1);
    alloc_pubs(1, n);
    set_subs(0, n);
    T = xalloc(sizeof *T);
    NT = 1;
    F = xalloc(sizeof *F);
    F[0] = fmt("%s/fanout", o_prefix);
    newpub_tmpl(&T[0], F[0], o_size, 0, n);
    for (int i = 0; i < n; i++) {
        C[i].f0 = 0;
        C[i].fn = 1;
    }
    setup(0, n + 1);
    run_phase();
    head();
    report_window();
    tail();
}

static void sc_fanin(void) {
    int n = o_clients;
    alloc_conns(n + 1);
    alloc_pubs(n, 1);
    set_subs(0, 1);
    T = xalloc(n * sizeof *T);
    NT = n;
    F = xalloc(sizeof *F);
    F[0] = fmt("%s/fanin/%s", o_prefix, o_filter);
    C[0].f0 = 0;
    C[0].fn = 1;
    for (int i = 0; i < n; i++) {
        char *t = fmt("%s/fanin/%d", o_prefix, i);
        newpub_tmpl(&T[i], t, o_size, 0, 1);
        P[i].t0 = i;
    }
    setup(0, n + 1);
    run_phase();
    head();
    report_window();
    tail();
}

/* wild: o_subs subscriptions on a 3-level tree, 7/10 exact, 1/10 each of a/b/#, a/+/c, +/b/c */
static u32 hkey(const char *s) {
    u32 h = 2166136261u;
    while (*s) {
        h ^= (u8)*s++;
        h *= 16777619u;
    }
    return h;
}

static u32 *htab, hmask;

static int hfind(const char *s) {
    u32 i = hkey(s) & hmask;
    while (htab[i]) {
        if (!strcmp(F[htab[i] - 1], s)) return htab[i] - 1;
        i = (i + 1) & hmask;
    }
    return -1;
}

static int hput(u32 f) {
    u32 i = hkey(F[f]) & hmask;
    while (htab[i]) {
        if (!strcmp(F[htab[i] - 1], F[f])) return 0;
        i = (i + 1) & hmask;
    }
    htab[i] = f + 1;
    return 1;
}

static void sc_wild(void) {
    u32 S = o_subs, K = o_conns < 10 ? 10 : o_conns, R = S / 40 + 4,
        kind[4] = {S - 3 * (S / 10), S / 10, S / 10, S / 10};
    u32 kc[4] = {K - 3 * (K / 10), K / 10, K / 10, K / 10};
    F = xalloc((S + 1) * sizeof *F);
    hmask = 1;
    while (hmask < S * 2 + 2)
        hmask <<= 1;
    htab = xalloc(hmask * 4);
    hmask--;
    alloc_conns(K + o_pubs);
    alloc_pubs(o_pubs, K);
    set_subs(0, K);
    strict = 0;
    u32 *er = xalloc(kind[0] * 4), *ed = xalloc(kind[0] * 4), *em = xalloc(kind[0] * 4), ci = 0;
    for (int k = 0; k < 4; k++) {
        u32 first = NF;
        for (u32 j = 0; j < kind[k];) {
            u32 r = rnd() % R, d = rnd() % R, m = rnd() % 8;
            char *f;
            if (k == 0)
                f = fmt("%s/w/%u/%u/%u", o_prefix, r, d, m);
            else if (k == 1)
                f = fmt("%s/w/%u/%u/#", o_prefix, er[j], ed[j]); /* above the j-th exact one */
            else if (k == 2)
                f = fmt("%s/w/%u/+/%u", o_prefix, (j * 3) % R, j % 8);
            else
                f = fmt("%s/w/+/%u/%u", o_prefix, (j * 3) % R, j % 8);
            F[NF] = f;
            if (!hput(NF)) {
                free(f);
                if (k == 0) continue;
                f = fmt("%s/w/x%u-%u/+/%u", o_prefix, k, j, m);
                F[NF] = f;
                hput(NF);
            }
            if (k == 0) {
                er[j] = r;
                ed[j] = d;
                em[j] = m;
            }
            NF++;
            j++;
        }
        u32 per = kind[k] / kc[k], x = first;
        for (u32 i = 0; i < kc[k]; i++) {
            C[ci].f0 = x;
            C[ci].fn = i + 1 == kc[k] ? first + kind[k] - x : per;
            x += C[ci].fn;
            ci++;
        }
    }
    u32 nt = kind[0] < 1000 ? kind[0] : 1000;
    T = xalloc(nt * sizeof *T);
    NT = nt;
    u64 sum = 0;
    for (u32 i = 0; i < nt; i++) {
        u32 j = nt < kind[0] ? (u32)((u64)i * kind[0] / nt) : i, n = 0;
        char b[256], topic[256];
        snprintf(topic, 256, "%s/w/%u/%u/%u", o_prefix, er[j], ed[j], em[j]);
        n += hfind(topic) >= 0;
        snprintf(b, 256, "%s/w/%u/%u/#", o_prefix, er[j], ed[j]);
        n += hfind(b) >= 0;
        snprintf(b, 256, "%s/w/%u/+/%u", o_prefix, er[j], em[j]);
        n += hfind(b) >= 0;
        snprintf(b, 256, "%s/w/+/%u/%u", o_prefix, ed[j], em[j]);
        n += hfind(b) >= 0;
        newpub_tmpl(&T[i], topic, o_size, 0, n);
        sum += n;
    }
    topx = xalloc((size_t)NS * NP * nt * 4);
    for (int i = 0; i < o_pubs; i++) {
        P[i].t0 = 0;
        P[i].tn = nt;
        P[i].tstep = 7 + 2 * i;
    }
    long r0, r1, hw;
    mem_watched(&r0, &hw);
    u64 c0 = cpu_watched();
    double su = setup(0, K);
    u64 c1 = cpu_watched();
    mem_watched(&r1, &hw);
    setup(K, K + o_pubs);
    run_phase();
    head();
    printf(",\"subs\":%u,\"matches\":%.2f,\"sub_rate\":%.0f,\"sub_cpu_us\":%.2f,\"sub_bytes\":%.0f", S,
           (double)sum / nt, S / su, (c1 - c0) / 1e3 / S, (r1 - r0) * 1024.0 / S);
    report_window();
    tail();
}

/* conn: CONNECT, CONNACK, DISCONNECT, close, repeated on o_clients slots */
static void sc_conn(void) {
    int n = o_clients;
    alloc_conns(n);
    for (int i = 0; i < n; i++) {
        C[i].role = R_PLAIN;
        C[i].idx = i;
    }
    u64 total = o_msgs ? (u64)o_msgs : ~0ull, started = 0, done = 0, t0 = now_ns(),
        tw = o_msgs ? t0 : t0 + o_warm * 1e9, te = o_msgs ? ~0ull : tw + o_time * 1e9, d0 = 0;
    char cid[64];
    int begun = 0;
    last_progress = now = t0;
    int active = 0;
    u64 closing = 0;
    if (o_srcips < 2) o_srcips = 200;
    if (o_msgs) {
        snap0();
        begun = 1;
    }
    for (;;) {
        if (!begun && now >= tw) {
            begun = 1;
            snap0();
            d0 = done;
        }
        int over = now >= te || started >= total;
        for (int i = 0; i < n; i++) {
            conn *c = &C[i];
            if (c->st == S_READY) {
                if (rec_lat) hadd(now - c->t0);
                done++;
                u8 d[2] = {0xe0, 0};
                if (send(c->fd, d, 2, MSG_NOSIGNAL) != 2) badmsg++;
                if (o_waiteof) {
                    shutdown(c->fd, SHUT_WR);
                    c->st = S_CONN;
                    c->ackdrop = 1;
                    closing++;
                } else {
                    closec(c);
                    active--;
                    c->st = S_NEW;
                }
            } else if (c->st == S_CLOSED) {
                if (!c->ackdrop)
                    badmsg++;
                else {
                    srv_close--;
                    closing--;
                }
                c->ackdrop = 0;
                active--;
                c->st = S_NEW;
            }
            if (c->st == S_NEW && !over) {
                snprintf(cid, sizeof cid, "mlc%d-%llu", (int)getpid() % 100000, (unsigned long long)started);
                openc(c, cid);
                started++;
                active++;
            }
        }
        if (!active) break;
        poll_once(20000000);
        if (now - last_progress > o_stall * 1e9) {
            stalled = 1;
            break;
        }
    }
    u64 dn = done - d0;
    snap1();
    if (!begun) W_t0 = t0;
    double el = (W_t1 - W_t0) / 1e9;
    head();
    printf(",\"connects\":%llu,\"elapsed_s\":%.4f,\"rate\":%.1f,\"lg_cpu\":%.3f", (unsigned long long)dn, el, dn / el,
           (W_l1 - W_l0) / 1e9 / el);
    if (o_npids)
        printf(",\"cpu_s\":%.4f,\"cpu_frac\":%.3f,\"cpu_us_msg\":%.3f", (W_b1 - W_b0) / 1e9, (W_b1 - W_b0) / 1e9 / el,
               dn ? (W_b1 - W_b0) / 1e3 / dn : 0.0);
    if (hcount)
        printf(",\"lat_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", hq(.5), hq(.9),
               hq(.99), hq(.999), hmax / 1e3);
    tail();
}

/* idle: o_clients connections with one subscription each, held; then a probe message to some of them */
static void sc_idle(void) {
    int n = o_clients;
    alloc_conns(n + 1);
    if (o_probe < 1) o_probe = 1;
    o_msgs = o_probe < n ? o_probe : n;
    alloc_pubs(1, n);
    set_subs(0, n);
    strict = 0;
    F = xalloc(n * sizeof *F);
    for (int i = 0; i < n; i++) {
        F[i] = fmt("%s/idle/%d", o_prefix, i);
        C[i].f0 = i;
        C[i].fn = 1;
    }
    T = xalloc((o_msgs + 1) * sizeof *T);
    for (long i = 0; i < o_msgs; i++)
        newpub_tmpl(&T[i], F[i * n / o_msgs], o_size, 0, 1);
    NT = o_msgs;
    topx = xalloc((size_t)n * NT * 4);
    P[0].tn = o_msgs;
    long r0, r1, r2, hw;
    mem_watched(&r0, &hw);
    u64 c0 = cpu_watched();
    double el = setup(0, n);
    u64 c1 = cpu_watched();
    mem_watched(&r1, &hw);
    u64 th = now_ns();
    while (now_ns() - th < o_hold * 1e9) {
        poll_once(50000000);
        if (srv_close) die("idle: %s", lasterr);
    }
    u64 c2 = cpu_watched();
    mem_watched(&r2, &hw);
    setup(n, n + 1);
    run_phase();
    head();
    printf(",\"connect_rate\":%.1f,\"rate\":%.1f,\"connect_cpu_us\":%.2f,\"rss0_kb\":%ld,\"rss_conn_kb\":%ld,\"rss_"
           "hold_kb\":%ld,\"bytes_per_conn\":%.0f,\"hold_cpu_frac\":%.4f,\"probed\":%llu",
           n / el, n / el, (c1 - c0) / 1e3 / n, r0, r1, r2, (r2 - r0) * 1024.0 / n,
           o_hold > 0 ? (c2 - c1) / 1e9 / o_hold : 0.0, (unsigned long long)delivered);
    tail();
}

/* stress: the shape and the arithmetic of the mqtt-stresser tool */
typedef struct wk {
    int st;
    long pub, got;
    u64 t_end, r0, r1;
    u8 wait;
} wk;

static wk *WK;

static int cmpd(const void *a, const void *b) {
    double x = *(double *)a, y = *(double *)b;
    return x < y ? -1 : x > y;
}

static void st_deliv(conn *c, u32 pi, u32 seq) {
    if (pi != (u32)c->idx) {
        badmsg++;
        return;
    }
    if (seq < expct[c->idx]) {
        dups++;
        return;
    }
    lost += seq - expct[c->idx];
    expct[c->idx] = seq + 1;
    WK[c->idx].got++;
}

static void sc_stress(void) {
    int n = o_clients, left = n;
    if (!o_msgs) o_msgs = 1000;
    long M = o_msgs;
    o_window = 65000;
    alloc_conns(2 * n);
    o_window = 100;
    alloc_pubs(n, n);
    set_subs(0, n);
    free(expct);
    expct = xalloc(n * 4);
    for (int i = 0; i < n; i++) {
        free(P[i].rem);
        P[i].mask = 0;
        P[i].rem = xalloc(4);
    }
    T = xalloc(n * sizeof *T);
    F = xalloc(n * sizeof *F);
    WK = xalloc(n * sizeof *WK);
    on_delivery = st_deliv;
    for (int i = 0; i < n; i++) {
        F[i] = fmt("%s/stress/worker%d", o_prefix, i);
        newpub_tmpl(&T[i], F[i], o_size, 0, 0);
        C[i].f0 = i;
        C[i].fn = 1;
        P[i].t0 = i;
        P[i].limit = M;
    }
    stop_sending = 1;
    setup(0, 2 * n);
    if (!o_nohold)
        for (int i = 0; i < n; i++) {
            C[i].noin = 1;
            setev(&C[i]);
        }
    snap0();
    rec_lat = 0;
    u64 t0 = W_t0;
    now = last_progress = t0;
    while (left) {
        int pubbing = 0;
        now = now_ns();
        for (int i = 0; i < n; i++) {
            wk *w = &WK[i];
            pub *p = &P[i];
            conn *c = p->c;
            if (w->st == 0) {
                if (!c->want_out && (!o_qos || p->acked == p->sent) && w->pub < M) {
                    emit(p, now);
                    flushc(c);
                    w->pub++;
                    last_progress = now;
                }
                if (w->pub == M && !c->want_out && p->acked == p->sent) {
                    u8 d[2] = {0xe0, 0};
                    send(c->fd, d, 2, MSG_NOSIGNAL);
                    closec(c);
                    w->st = 1;
                    w->t_end = now_ns() + o_quiesce * 1e6;
                } else
                    pubbing += !c->want_out && (!o_qos || p->acked == p->sent);
            } else if (w->st == 1 && now >= w->t_end) {
                w->st = 2;
                w->r0 = now;
                if (C[i].noin) {
                    C[i].noin = 0;
                    setev(&C[i]);
                }
            } else if (w->st == 2 && w->got >= M) {
                w->st = 3;
                w->r1 = now;
                left--;
            }
        }
        if (!left) break;
        poll_once(pubbing ? 0 : 200000);
        if (srv_close) break;
        if (now - last_progress > o_stall * 1e9) {
            stalled = 1;
            break;
        }
    }
    snap1();
    double *pp = xalloc(n * 8), *rp = xalloc(n * 8), el = (W_t1 - W_t0) / 1e9;
    int np = 0;
    u64 got = 0;
    for (int i = 0; i < n; i++) {
        got += WK[i].got;
        if (WK[i].st != 3) {
            lost += M - WK[i].got;
            continue;
        }
        pp[np] = M / ((WK[i].t_end - t0) / 1e9);
        double d = (WK[i].r1 - WK[i].r0) / 1e9;
        rp[np] = M / (d > 0 ? d : 1e-9);
        np++;
    }
    qsort(pp, np, 8, cmpd);
    qsort(rp, np, 8, cmpd);
    if (!np) np = 1;
    head();
    printf(",\"messages\":%ld,\"elapsed_s\":%.4f,\"delivered\":%llu,\"rate\":%.1f", M, el, (unsigned long long)got,
           got / el);
    printf(",\"pub_fastest\":%.0f,\"pub_median\":%.0f,\"pub_slowest\":%.0f,\"recv_fastest\":%.0f,\"recv_median\":%.0f,"
           "\"recv_slowest\":%.0f",
           pp[np - 1], (pp[(np - 1) / 2] + pp[np / 2]) / 2, pp[0], rp[np - 1], (rp[(np - 1) / 2] + rp[np / 2]) / 2,
           rp[0]);
    printf(",\"lg_cpu\":%.3f", (W_l1 - W_l0) / 1e9 / el);
    if (o_npids)
        printf(",\"cpu_s\":%.4f,\"cpu_frac\":%.3f,\"cpu_us_msg\":%.3f", (W_b1 - W_b0) / 1e9, (W_b1 - W_b0) / 1e9 / el,
               got ? (W_b1 - W_b0) / 1e3 / got : 0.0);
    tail();
}

/* retained: store o_subs retained messages, then o_repeat new subscribers receive them all; then clear them */
static u8 *rseen;
static u64 rgot;

static void ret_deliv(conn *c, u32 pi, u32 seq) {
    (void)c;
    (void)pi;
    if (!(cur_h & 1)) badmsg++;
    if (seq >= (u32)o_subs) {
        badmsg++;
        return;
    }
    if (rseen[seq]) {
        dups++;
        return;
    }
    rseen[seq] = 1;
    rgot++;
}

static void sc_retained(void) {
    int R = o_subs;
    alloc_conns(2 + o_repeat);
    int win = o_window;
    alloc_pubs(1, 0);
    set_subs(0, 1);
    pub *p = &P[0];
    C[0].role = R_PUB;
    C[0].idx = 0;
    F = xalloc(sizeof *F);
    F[0] = fmt("%s/ret/%s", o_prefix, "#");
    rseen = xalloc(R);
    on_delivery = ret_deliv;
    T = xalloc(R * sizeof *T);
    for (int i = 0; i < R; i++) {
        char *t = fmt("%s/ret/%d/%d", o_prefix, i % 100, i);
        newpub_tmpl(&T[i], t, o_size, 1, 0);
        free(t);
    }
    p->tn = R;
    p->limit = R;
    int q0 = o_qos;
    o_qos = o_rqos;
    long r0, r1, hw;
    suback_qos = q0;
    setup(0, 1);
    mem_watched(&r0, &hw);
    snap0();
    rec_lat = 0;
    now = last_progress = W_t0;
    u64 ping0 = C[0].rx;
    int pinged = 0;
    pwake(p);
    flush_all();
    for (;;) {
        poll_once(p->sent < p->limit && !o_rqos ? 0 : 20000000);
        if (p->sent < p->limit) {
            pwake(p);
            flush_all();
        }
        if (p->sent >= p->limit && p->acked >= p->sent) {
            if (!pinged) {
                u8 d[2] = {0xc0, 0};
                obuf(&C[0], 2);
                memcpy(C[0].out + C[0].ot, d, 2);
                C[0].ot += 2;
                pinged = 1;
                flushc(&C[0]);
            } else if (C[0].rx > ping0)
                break;
        }
        if (srv_close || now - last_progress > o_stall * 1e9) {
            stalled = 1;
            break;
        }
    }
    snap1();
    double st = (W_t1 - W_t0) / 1e9;
    u64 scpu = W_b1 - W_b0;
    mem_watched(&r1, &hw);
    double *tt = xalloc(o_repeat * 8);
    u64 dcpu = 0, dt = 0;
    W_l0 = cpu_self();
    for (int k = 0; k < o_repeat && !stalled; k++) {
        conn *c = &C[1 + k];
        c->role = R_SUB;
        c->idx = 0;
        c->fn = 0;
        setup(1 + k, 2 + k);
        memset(rseen, 0, R);
        rgot = 0;
        c->fn = 1;
        c->f0 = 0;
        c->fnext = 0;
        c->st = S_SUB;
        u64 b0 = cpu_watched(), a = now_ns();
        put_subscribe(c);
        flushc(c);
        last_progress = now = a;
        while (rgot < (u64)R && !srv_close) {
            poll_once(20000000);
            if (now - last_progress > o_stall * 1e9) {
                stalled = 1;
                break;
            }
        }
        u64 b = now_ns();
        tt[k] = (b - a) / 1e9;
        dt += b - a;
        dcpu += cpu_watched() - b0;
        lost += R - rgot;
        u64 z = now_ns();
        while (outstanding_rx && now_ns() - z < 1000000000ull)
            poll_once(1000000);
        closec(c);
    }
    W_l1 = cpu_self();
    qsort(tt, o_repeat, 8, cmpd);
    double md = tt[o_repeat / 2] > 0 ? tt[o_repeat / 2] : 1e-9;
    o_qos = q0;
    (void)win;
    head();
    printf(",\"retained\":%d,\"store_qos\":%d,\"store_rate\":%.1f,\"rate\":%.1f,\"deliver_s\":%.5f,\"bytes_per_"
           "retained\":%.0f,\"lg_cpu\":%.3f",
           R, o_rqos, R / st, stalled || srv_close ? 0.0 : R / md, md, (r1 - r0) * 1024.0 / R,
           dt ? (double)(W_l1 - W_l0) / dt : 0.0);
    if (o_npids) printf(",\"store_cpu_us\":%.3f,\"cpu_us_msg\":%.3f", scpu / 1e3 / R, dcpu / 1e3 / R / o_repeat);
    if (stalled) printf(",\"got_last\":%llu", (unsigned long long)rgot);
    tail();
}

static void usage(void) {
    fputs(
        "mqttload SCENARIO --port P [options]      scenarios: p2p fanout fanin stress conn idle latency wild retained\n"
        " --host 127.x  --mqtt 4|5  -c CLIENTS  -s PAYLOAD(>=16)  -q QOS  -w WINDOW  -t SECONDS (or -m MESSAGES per "
        "publisher)\n"
        " --warmup S  --rate MSGS_PER_S  --burst N (send only when N fit)  --per-write (one write per message)  --busy "
        "(spin)\n"
        " --spread N (p2p: topics per publisher)  --ballast N (p2p: subscriptions that match nothing)\n"
        " --persistent (sessions of subscribers outlive their connections)\n"
        " --subs N (wild: subscriptions, retained: messages)  --conns K --pubs P (wild)  --filter '#'|'+' (fanin)\n"
        " --hold S --probe N (idle)  --repeat K --rqos Q (retained)  --wait-eof --src-ips N (conn)  --no-hold "
        "--quiesce MS (stress)\n"
        " --uprop N (MQTT 5 user properties)  --subqos Q  --cc N (connects at once)  --stall S  --setup S  --keepalive "
        "S  --user U --pass P\n"
        " --pid P[,P..] (read CPU and memory of these from /proc)  --label TEXT  --prefix TOPIC\n",
        stderr);
    exit(1);
}

int main(int ac, char **av) {
    int sq = -1;
    if (ac < 2) usage();
    o_scn = av[1];
    for (int i = 2; i < ac; i++) {
        const char *a = av[i];
#define IS(x) !strcmp(a, x)
        if (IS("--per-write")) {
            o_perwrite = 1;
            continue;
        }
        if (IS("--wait-eof")) {
            o_waiteof = 1;
            continue;
        }
        if (IS("--no-hold")) {
            o_nohold = 1;
            continue;
        }
        if (IS("--busy")) {
            o_busy = 1;
            continue;
        }
        if (IS("--persistent")) {
            o_persistent = 1;
            continue;
        }
        if (i + 1 >= ac) usage();
        const char *v = av[++i];
        if (IS("--host"))
            o_host = v;
        else if (IS("--port"))
            o_port = atoi(v);
        else if (IS("--mqtt"))
            o_ver = atoi(v) == 5 ? 5 : 4;
        else if (IS("-c"))
            o_clients = atoi(v);
        else if (IS("-s"))
            o_size = atoi(v);
        else if (IS("-q"))
            o_qos = atoi(v);
        else if (IS("-w"))
            o_window = atoi(v);
        else if (IS("-m"))
            o_msgs = atol(v);
        else if (IS("-t"))
            o_time = atof(v);
        else if (IS("--warmup"))
            o_warm = atof(v);
        else if (IS("--rate"))
            o_rate = atof(v);
        else if (IS("--burst"))
            o_burst = atoi(v);
        else if (IS("--subs"))
            o_subs = atoi(v);
        else if (IS("--spread"))
            o_spread = atoi(v);
        else if (IS("--ballast"))
            o_ballast = atoi(v);
        else if (IS("--conns"))
            o_conns = atoi(v);
        else if (IS("--pubs"))
            o_pubs = atoi(v);
        else if (IS("--filter"))
            o_filter = v;
        else if (IS("--hold"))
            o_hold = atof(v);
        else if (IS("--probe"))
            o_probe = atoi(v);
        else if (IS("--repeat"))
            o_repeat = atoi(v);
        else if (IS("--rqos"))
            o_rqos = atoi(v);
        else if (IS("--src-ips"))
            o_srcips = atoi(v);
        else if (IS("--quiesce"))
            o_quiesce = atof(v);
        else if (IS("--uprop"))
            o_uprop = atoi(v);
        else if (IS("--subqos"))
            sq = atoi(v);
        else if (IS("--cc"))
            o_cc = atoi(v);
        else if (IS("--stall"))
            o_stall = atof(v);
        else if (IS("--setup"))
            o_setup = atof(v);
        else if (IS("--keepalive"))
            o_keepalive = atoi(v);
        else if (IS("--label"))
            o_label = v;
        else if (IS("--user"))
            o_user = v;
        else if (IS("--pass"))
            o_pass = v;
        else if (IS("--prefix"))
            o_prefix = v;
        else if (IS("--pid")) {
            char *s = strdup(v), *t = strtok(s, ",");
            while (t && o_npids < 64) {
                o_pids[o_npids++] = atoi(t);
                t = strtok(0, ",");
            }
        } else
            usage();
    }
    struct in_addr ia;
    if (inet_pton(AF_INET, o_host, &ia) != 1 || (ntohl(ia.s_addr) >> 24) != 127)
        die("only 127.0.0.0/8 is allowed as a target");
    if (o_size < 16) o_size = 16;
    if (o_size > 200000) die("payload over 200000");
    if (o_clients < 1 || o_window < 1 || o_window > 60000 || o_qos < 0 || o_qos > 2 || o_uprop < 0 || o_uprop > 200 ||
        o_burst < 1 || o_spread < 1 || o_spread > 100000 || o_ballast < 0 || o_ballast > 10000000)
        die("bad option value");
    if (o_burst > o_window) o_burst = o_window;
    suback_qos = sq >= 0 ? sq : o_qos;
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    struct rlimit want = {1 << 17, 1 << 17};
    if (setrlimit(RLIMIT_NOFILE, &want)) {
        rl.rlim_cur = rl.rlim_max;
        setrlimit(RLIMIT_NOFILE, &rl);
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1000);
    ep = epoll_create1(0);
    if (!strcmp(o_scn, "p2p"))
        sc_p2p();
    else if (!strcmp(o_scn, "latency")) {
        if (o_rate <= 0) o_rate = 1000;
        sc_p2p();
    } else if (!strcmp(o_scn, "fanout"))
        sc_fanout();
    else if (!strcmp(o_scn, "fanin"))
        sc_fanin();
    else if (!strcmp(o_scn, "stress"))
        sc_stress();
    else if (!strcmp(o_scn, "conn"))
        sc_conn();
    else if (!strcmp(o_scn, "idle"))
        sc_idle();
    else if (!strcmp(o_scn, "wild"))
        sc_wild();
    else if (!strcmp(o_scn, "retained"))
        sc_retained();
    else
        usage();
    return 0;
}
