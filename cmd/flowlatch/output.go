package main

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
)

// output is standard output. It notes when its reader has gone away.
type output struct {
	to   *os.File
	gone atomic.Bool
}

var stdout = &output{to: os.Stdout}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.to.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		o.gone.Store(true)
	}
	return n, err
}

// ended reports whether a command that failed with err ended because nobody reads its output.
func (o *output) ended(err error) bool { return o.gone.Load() && errors.Is(err, syscall.EPIPE) }
