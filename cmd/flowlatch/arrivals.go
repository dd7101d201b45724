package main

import (
	"bufio"
	"bytes"
	"io"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// maxArrival is the largest line, or JSON value, with one assistant, in bytes: far more
// than an assistant needs.
const maxArrival = 16 << 10

// arrival is an assistant that is to be added here.
type arrival struct {
	place string // where in its file it is, as the operator finds it
	in    app.AddProject
	// secondary is the key in the second slot; only a sealed file has one.
	secondary domain.Secret
	// err is why it can't be read. It repeats nothing of what is in the file: a key may
	// stand anywhere in it.
	err error
}

// reading reads a file of assistants to its end and calls each with one after the other.
// An error of each's ends it and is returned as it is. Other errors, which say that
// nothing more can be read, repeat nothing of what is in the file.
type reading func(r io.Reader, each func(arrival) error) error

// withoutMark passes over the mark that Windows puts in front of UTF-8.
func withoutMark(r *bufio.Reader) *bufio.Reader {
	if mark, err := r.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = r.Discard(len(mark))
	}
	return r
}
