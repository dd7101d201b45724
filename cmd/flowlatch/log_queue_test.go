package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// slowReader takes a line whenever the test takes one.
type slowReader chan string

func (r slowReader) Write(line []byte) (int, error) {
	r <- string(line)
	return len(line), nil
}

func TestALogThatNobodyReadsDoesNotWait(t *testing.T) {
	reader := make(slowReader)
	lost := make(chan int64, 1)
	q := newLogQueue(reader, 3, func(lines int64) { lost <- lines })
	if _, err := q.Write([]byte("0")); err != nil {
		t.Fatal(err)
	}
	first := <-reader // the queue is empty now
	var got []string
	for i := 1; i <= 10; i++ {
		if n, err := fmt.Fprintf(q, "%d", i); n != len(fmt.Sprint(i)) || err != nil {
			t.Fatalf("Write: got %d, %v", n, err)
		}
	}
	got = append(got, first, <-reader)
	dropped := <-lost
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		q.close(context.Background())
	}()
	for done := false; !done; {
		select {
		case line := <-reader:
			got = append(got, line)
		case <-closed:
			done = true
		}
	}
	if int64(len(got))+dropped != 11 || dropped == 0 {
		t.Errorf("%d lines came and %d were counted as dropped, want 11 together", len(got), dropped)
	}
	if !slices.IsSorted(got[:4]) || got[0] != "0" || got[1] != "1" {
		t.Errorf("the lines came as %q", got)
	}
}

func TestTheEndDoesNotWaitForAReader(t *testing.T) {
	q := newLogQueue(make(slowReader), 3, nil)
	_, _ = q.Write([]byte("x"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	q.close(ctx)
}

func TestALogWithoutAReaderGoesOn(t *testing.T) {
	var written int
	gone := writerFunc(func(line []byte) (int, error) { written++; return 0, syscall.EPIPE })
	q := newLogQueue(gone, 3, nil)
	for range 3 {
		_, _ = q.Write([]byte("x"))
	}
	q.close(context.Background())
	if written != 3 {
		t.Errorf("%d lines were tried, want 3", written)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestALineIsCopied(t *testing.T) {
	reader := make(slowReader, 1)
	q := newLogQueue(reader, 3, nil)
	line := []byte("before")
	_, _ = q.Write(line)
	copy(line, "after!")
	q.close(context.Background())
	if got := <-reader; !strings.Contains(got, "before") {
		t.Errorf("the line is %q, want what was written", got)
	}
}
