/* The claim, the lease and the fence: one row, three workers, an outside store, and all that may go wrong between them.
 *
 * Read it beside docs/model.md, which says how each word here is called in the code. Workers 1 and 2 are children of one
 * node, so they share its id as holder; worker 3 is another node's. A pause needs no word: a process that is not
 * scheduled is frozen, for as long as Spin likes, and its lease may run out meanwhile.
 *
 * Each guard is taken out by a macro (-DNO_EPOCH and so on): with any of them gone an assertion fails.
 */

#ifndef FAULTS
#define FAULTS 3    /* of any kind: a kill -9, a lease that runs out though its holder lives, a call whose outcome is
                       unknown (it may still take effect, or never), a bell lost, doubled or forged */
#endif

#define WORKERS 3
#define BELLS   2
#define EPOCHS  12  /* never reached: every run ends */

#define CREATING 1
#define CREATED  2
#define DELETING 3
#define GONE     4

#define CREATE 1    /* operations, and the calls that they make */
#define DELETE 2

#define NONE    0
#define OK      1
#define FENCED  2

/* --- the row, and the ghosts that judge ------------------------------------------------------------------- */
byte status, operation, holder, child, epoch;
bool lease;              /* it has not run out */
byte outcomes[3];        /* ghost: accepted outcomes by operation */
bool asked[3], over[3];  /* ghost: accepted requests; those superseded by a later one */
bool lost;               /* ghost: the claim that holds the row is a dead worker's */

/* --- the broker: a bell carries the row's id and nothing else, so bells are a number ----------------------- */
byte bells;

/* --- the store, and the calls on their way to it ----------------------------------------------------------- */
byte things, fence, newest;  /* newest (ghost): the epoch of the last effect */
byte call[EPOCHS];           /* by the epoch under which it was sent: a claim sends one at most */
byte caller[EPOCHS];         /* who waits for its answer, if anybody */
byte calls;
byte answer[WORKERS + 1];

byte faults;
bool first;  /* worker 1 is at work: of two idle children alike, it is worker 1 that hears a bell */

#define BUSY   (status == CREATING || status == DELETING)
#ifdef NO_LEASE_CHECK
#define FREE   (true)
#else
#define FREE   (holder == 0 || !lease)
#endif

inline ring() { if :: bells < BELLS -> bells++ :: else fi }

#ifdef NO_EPOCH
#define HELD   (holder == node)
#else
#define HELD   (holder == node && epoch == mine)
#endif
#ifdef NO_OPERATION
#define ASKED  (true)
#else
#define ASKED  (status == state && operation == work)
#endif

/* A call passes if nobody has come since to the store. */
#ifdef NO_STORAGE_FENCE
#define PASSES (true)
#else
#ifdef NO_OVERTAKE
#define PASSES (one >= fence)  /* it compares, but only when a call arrives */
#else
#define PASSES (one == fence)
#endif
#endif

inline forget() {
    mine = 0; work = 0; state = 0; answer[me] = NONE;
    if :: me == 1 -> first = false :: else fi
}

#define SENT(number) :: call[number] != NONE -> one = number
inline any_call() {
    if SENT(1) SENT(2) SENT(3) SENT(4) SENT(5) SENT(6) SENT(7) SENT(8) SENT(9) SENT(10) SENT(11) fi
}

/* Nothing may be left of what is gone, and what is there is there once. */
inline look_around() {
    assert(things <= 1);
    assert(status != GONE || things == 0);
    assert(status != CREATED || things == 1);
}

proctype Worker(byte me; byte node) {
    byte mine, work, state;

idle:
end_idle:
    atomic { bells > 0 && (me != 2 || first) -> bells--; if :: me == 1 -> first = true :: else fi }

    /* claim: one UPDATE */
    atomic {
        if
        :: BUSY && FREE ->
            assert(holder == 0 || !lease);       /* nobody whose lease holds is disturbed */
            epoch++; assert(epoch < EPOCHS);     /* every run ends */
            holder = node; child = me; lease = true; lost = false;
            mine = epoch; work = operation; state = status
        :: else -> forget(); goto idle
        fi
    }

    /* the store's fence is raised to this claim's epoch, before anything is looked at */
#ifndef NO_OVERTAKE
    atomic {
        if
        :: fence > mine -> goto again  /* a later claim was here */
        :: else -> fence = mine
        fi
    }
#endif

    /* look, and send what is missing; it arrives when it arrives */
    atomic {
        if
        :: faults < FAULTS -> goto crash
        :: true
        fi;
        if
#ifndef NO_ADOPT
        :: state == CREATING && things > 0 -> goto done
#endif
        :: state == DELETING && things == 0 -> goto done
        :: else
        fi;
        call[mine] = work; caller[mine] = me; calls++
    }

    /* the answer, or none: then the outcome is unknown */
    atomic {
        if
        :: answer[me] == OK -> goto done
        :: answer[me] == FENCED -> goto again
        :: answer[me] == NONE && faults < FAULTS ->
            faults++;
            caller[mine] = 0;
            goto again
        :: faults < FAULTS -> goto crash
        fi
    }

done: /* move: one UPDATE that names the claim and what it was for */
    atomic {
        if
        :: faults < FAULTS -> goto crash
        :: HELD && ASKED ->
            assert(mine == epoch && holder == node); /* no stale outcome is accepted */
            outcomes[work]++; assert(outcomes[work] <= 1 && !over[work]);
            if :: work == CREATE -> status = CREATED :: work == DELETE -> status = GONE fi;
            holder = 0; operation = 0; child = 0; lost = false;
            look_around();
            forget(); goto idle
        :: !(HELD && ASKED) -> skip   /* overtaken: hand it on; stale: rest is refused too */
        fi
    }

again: /* rest: the work is still owed; the sweep rings, or at once where a request has overtaken */
    atomic {
        if
        :: HELD ->
            assert(mine == epoch);        /* nobody lets go of another's row */
            holder = 0; child = 0; lost = false;
            if :: operation != work -> ring() :: else fi
        :: !HELD -> skip               /* "double prevented" */
        fi;
        forget(); goto idle
    }

crash: /* kill -9; the broker rings again for what was not acknowledged, or is lost with it */
    atomic {
        faults++;
        caller[mine] = 0;
        if :: ring() :: true fi;
        if
        :: holder == node && child == me ->
            if
            :: holder = 0; child = 0          /* its parent saw it die and gave up its row */
            :: lost = true             /* the whole node is gone: its lease runs out */
            fi
        :: else
        fi;
        forget(); goto idle
    }
}

/* Calls arrive in any order. Who waited for one hears of it; one that nobody waits for may also never arrive. */
proctype Store() {
    byte one;
end:
    do
    :: atomic {
        calls > 0 ->
        any_call();
        if
        :: PASSES ->
#ifdef NO_OVERTAKE
            fence = one;
#endif
            assert(one >= newest);          /* nothing older comes after what is newer */
            newest = one;
            if :: call[one] == CREATE -> things++ :: call[one] == DELETE -> things = 0 fi;
            look_around();
            if :: caller[one] -> answer[caller[one]] = OK :: else fi
        :: !PASSES ->
            if :: caller[one] -> answer[caller[one]] = FENCED :: else fi
        :: caller[one] == 0 -> skip         /* it never arrives */
        fi;
        call[one] = NONE; caller[one] = 0; calls--; one = 0
    }
    od
}

/* A user: a create, and perhaps a delete, at any moment. 202 is the commit; the bell comes after it, or never. */
proctype User() {
    atomic { status = CREATING; operation = CREATE; asked[CREATE] = true }
    atomic { if :: ring() :: true fi }
    if
    :: true ->
        atomic {
            if
            :: status == CREATING -> over[CREATE] = true
            :: status == CREATED
            fi;
            status = DELETING; operation = DELETE; asked[DELETE] = true
        }
        atomic { if :: ring() :: true fi }
    :: true
    fi
}

/* Time, the broker's whims, and the sweep. */
proctype World() {
end:
    do
    :: atomic { holder && lease && lost -> lease = false }
    :: atomic { holder && lease && !lost && faults < FAULTS -> faults++; lease = false }
    :: atomic { bells && faults < FAULTS -> faults++; bells-- }
    :: atomic { faults < FAULTS && bells < BELLS -> faults++; bells++ }
#ifndef NO_SWEEP
    :: atomic { BUSY && (holder == 0 || !lease) && bells == 0 -> bells++ }
#endif
    od
}

/* When nothing can happen any more: whatever was accepted has come to one end, and what is said is what is there. */
proctype End() {
    timeout ->
    assert(status == CREATED || status == GONE);
    assert(outcomes[CREATE] + over[CREATE] == 1);
    assert(!asked[DELETE] || (outcomes[DELETE] == 1 && status == GONE));
    look_around()
}

init {
    atomic {
        run User(); run Store(); run World(); run End();
        run Worker(1, 1); run Worker(2, 1); run Worker(3, 2)
    }
}
