// Package domain has the rules of Flowlatch: projects and their keys, users, grants, sessions,
// access tokens and secrets, and who may do what with them. A rule computes a change as a value,
// and a store loads, calls the rule and stores.
//
// The package imports the standard library only. It does no I/O, reads no clock, and knows no
// JSON or SQL. Times and randomness are arguments. Of HTTP it knows only the contract with
// Voiceflow as data: the methods and paths of its endpoints (Endpoint), its origins, and the
// statuses of its answers in audit records.
//
// Its types are values. Unless a comment says otherwise, they may be copied, and several
// goroutines may read them at once. No function here has side effects.
package domain
