// Package domain holds what Flowlatch is about: assistants (projects), users,
// grants, sessions and secrets, and the rules of authorization and encryption
// over them. It imports the standard library only, does no I/O, reads no clock
// and knows neither JSON nor SQL: times and randomness are handed in.
//
// Its types are values. Unless a comment says otherwise they may be copied and
// read by several goroutines at once, and no function here has side effects.
package domain
