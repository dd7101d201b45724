// Package portstest holds the suites of the ports: one exported function for each port, and
// one subtest for each sentence of the port's comment. An adapter that passes its suite may
// stand in for any other.
//
// A test of an adapter hands its suite a function that opens an empty instance. All runs the
// suites of every view of a database. A suite calls the function at least once for each
// subtest, never skips, never sleeps, and brings its own clock. The function closes what it
// opens in t.Cleanup.
//
// What holds for every method is checked for each call of one table: an outage is Unavailable,
// arguments are neither kept nor modified, other instances see a change at once, and calls at
// the same instant do what they do alone. Acts checks each method that takes a domain.Act: it
// fails after the right is gone.
//
// Some sentences can't be seen from outside. They are for the adapter's own tests: which rows a
// page reads, how much memory attempts and rates of calls take, the time of Verify for the zero
// hash, the locks of a killed process, and texts that can't be stored.
package portstest
