// Package portstest holds the suites of the ports: one exported function per port,
// one subtest per sentence of the port's comment. An adapter that passes its suite
// may stand in for any other.
//
// A test of an adapter hands its suite a function that opens an empty instance. The
// suite calls it at least once for each subtest, never skips, never sleeps and brings
// its own clock. What it opens is closed by the function's own t.Cleanup.
//
// Some sentences can't be seen from outside of an adapter, and are for the adapter's
// own tests: which rows a page reads, how much memory the attempts and the rates of calls
// take, that looking at a hash of nobody costs the usual time, and that a killed process
// locks nobody out.
package portstest
