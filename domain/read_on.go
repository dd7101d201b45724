package domain

// The parts of the documentation that say more about a call that is refused. The message of a
// refusal ends with one of them.
const (
	SeeRefused      = "; see docs/endpoints.md#if-a-call-is-refused"
	SeeScopes       = "; see docs/endpoints.md#scopes"
	SeeLimits       = "; see docs/endpoints.md#limits-of-calls"
	SeeCalls        = "; see docs/endpoints.md#forwarded-calls"
	SeeEnvironments = "; see docs/endpoints.md#environments"
)
