package domain

import "time"

// Call is who calls and by which request. Every use case is told besides its input.
type Call struct {
	Caller    Caller
	RequestID string
	Address   string // the IP address of the client; "" for a command
	Agent     string // User-Agent of the client
}

// Record returns the audit record of what the call does to the object at now.
func (c Call) Record(now time.Time, action Action, object string) Record {
	return Record{
		At: Instant(now), Actor: c.Caller.Actor(), Action: action, Object: object,
		Outcome: OutcomeOK, RequestID: c.RequestID, Address: c.Address, Count: 1,
	}
}

// Act returns the change that the call wishes to make to the object at now, and what it takes of
// the caller.
func (c Call) Act(now time.Time, needs Need, action Action, object string) Act {
	return Act{By: c.Caller, Needs: needs, Record: c.Record(now, action, object)}
}
