package domain

// Budget is whose limit a forwarded call counts against.
type Budget struct {
	Who   Actor
	Limit int // the limit of Who alone; 0 is the limit of the service
	// Reads tells that the call counts against the reads of Who, and not against their turns. Only
	// rates tell them apart.
	Reads bool
}

// Reads reports whether the call counts as a read, which neither changes nor costs anything: a GET,
// a search, a count, or an export. Every other call counts as a turn. Only rates tell them apart.
func (e *Endpoint) Reads() bool {
	return e.Method == "GET" || e.Filters || e.Scope == ScopeAnalytics || e.Scope == ScopeExport
}

// RateBudget returns whose reads or turns a minute the use of e counts against: those of the access
// token if it has a Rate, and otherwise those of the user. The tokens and logins of a user share one
// budget of each kind. A Rate is both the turns and the reads of the token.
func (a Access) RateBudget(e *Endpoint) Budget {
	b := a.budget(a.Token.Rate)
	b.Reads = e.Reads()
	return b
}

// OpenBudget returns whose open calls the use counts against: those of the access token if it has
// Open, and otherwise those of the user.
func (a Access) OpenBudget() Budget { return a.budget(a.Token.Open) }

// budget returns the budget of the access token if own is its limit, and otherwise that of the
// user. Only an admin can give a token a limit of its own, so it counts only while the owner is
// one.
func (a Access) budget(own int) Budget {
	if own > 0 && a.Caller.Admin {
		return Budget{Who: a.Actor(), Limit: own}
	}
	return Budget{Who: ActorUser(a.Caller.ID)}
}
