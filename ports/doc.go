// Package ports declares what the application needs from the outside: interfaces
// only, one file each. A port here is an interface, never an HTTP handler.
//
// What holds for every port: its methods are safe for concurrent use, return
// promptly once ctx is done, keep no reference to their arguments and modify none of
// them. Times are UTC and compared at microsecond resolution. A method fails only
// with the kinds of domain.Error that it names, or with domain.Unavailable when it
// could not answer; an outage is never reported as domain.NotFound. A method that
// writes is one atomic change and takes its audit record along: when it fails,
// neither the change nor the record is there; when it succeeds without having
// changed anything, the record is not there either.
//
// ProjectRepository, UserRepository, SessionStore, Callers, Access, AccessTokens,
// Conversations, Usage, AuditLog, Installation, Sealings and Archive are views on one
// database: what one of them writes the others see at once, on every instance. portstest
// has a suite for each port.
package ports
