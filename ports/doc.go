// Package ports declares what the application needs from outside: interfaces only, one file
// each. A port here is an interface, never an HTTP handler.
//
// These rules hold for every port. Its methods are safe for concurrent use, return promptly
// once ctx is done, keep no reference to their arguments, and modify none of them. Times are
// UTC and compared at microsecond resolution. A method fails only with the kinds of
// domain.Error that it names, with domain.Unavailable if it could not answer, or with
// domain.Invalid if a text that it is given has NUL or invalid UTF-8 (domain.Storable). An
// outage is never reported as domain.NotFound.
//
// A method that writes is one atomic change together with its audit record. If it fails,
// neither the change nor the record is stored. If it succeeds without changing anything, the
// record is not stored either.
//
// A method that stores something new returns domain.Conflict if its id is taken, whether the
// method names that or not.
//
// A method that takes a domain.Act carries out somebody's wish. First, in the transaction of the
// change, it looks up and locks the right that the Act stands on, and calls Act.Allow. If Allow
// fails, it returns that error and changes nothing. A change and a removal of the right that
// race come one after the other, and whichever commits first counts. A method that takes a
// domain.Record instead notes something on nobody's right.
//
// Store holds all views of one database. portstest has a suite for each port.
package ports
