package domain

// Budget is whose limit a forwarded call counts against.
type Budget struct {
	Who   Actor
	Limit int // the limit of Who alone; 0 is the limit of the service
}

// RateBudget returns whose calls a minute the use counts against: those of the access token if it
// has a Rate, and otherwise those of the user. The tokens and logins of a user share one budget.
func (a Access) RateBudget() Budget { return a.budget(a.Token.Rate) }

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
