package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flowlatch/flowlatch/internal/config"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

const (
	// logLines is how many lines wait for standard error.
	logLines = 1024
	// logPatience is how long the end of the program waits for them.
	logPatience = time.Second
)

// newLog returns the log of a service: JSON lines on standard error. It takes the lines of
// libraries too. close waits until the lines are written, but not long.
func newLog(cfg config.Config) (to *slog.Logger, closeLog func()) {
	level := &slog.HandlerOptions{Level: cfg.LogLevel}
	q := newLogQueue(os.Stderr, logLines, func(lines int64) {
		slog.New(slog.NewJSONHandler(os.Stderr, level)).Warn("lines of this log were dropped, because nobody read them in time", "lines", lines)
	})
	to = slog.New(slog.NewJSONHandler(q, level))
	takeLibraryLines(to)
	return to, func() {
		within, cancel := context.WithTimeout(context.Background(), logPatience)
		defer cancel()
		q.close(within)
	}
}

// logQueue passes lines on without making their writer wait. Otherwise a full pipe whose reader
// hangs would stop every request. A line that finds the queue full is dropped and counted. A line
// that can't be written, for example because the reader has gone away, is dropped.
type logQueue struct {
	lines   chan []byte
	dropped atomic.Int64
	closing chan struct{}
	written chan struct{} // closed when the lines before closing are written
}

// newLogQueue returns a queue of so many lines. After lines were dropped, it calls lost with
// their number.
func newLogQueue(to io.Writer, size int, lost func(lines int64)) *logQueue {
	q := &logQueue{lines: make(chan []byte, size), closing: make(chan struct{}), written: make(chan struct{})}
	go q.pass(to, lost)
	return q
}

// Write never fails and never waits.
func (q *logQueue) Write(line []byte) (int, error) {
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.dropped.Add(1)
	}
	return len(line), nil
}

func (q *logQueue) pass(to io.Writer, lost func(int64)) {
	defer close(q.written)
	write := func(line []byte) {
		_, _ = to.Write(line)
		if n := q.dropped.Swap(0); n > 0 {
			lost(n)
		}
	}
	for {
		select {
		case line := <-q.lines:
			write(line)
		case <-q.closing:
			for {
				select {
				case line := <-q.lines:
					write(line)
				default:
					return
				}
			}
		}
	}
}

// close writes what is left, until ctx is done. Call it once.
func (q *logQueue) close(ctx context.Context) {
	close(q.closing)
	select {
	case <-q.written:
	case <-ctx.Done():
	}
}

// newServerLog logs the lines of net/http. It removes the end of each line, which contains an
// address and maybe text of a client.
func newServerLog(to *slog.Logger) *log.Logger { return log.New(serverLines{to}, "", 0) }

type serverLines struct{ to *slog.Logger }

func (s serverLines) Write(line []byte) (int, error) {
	about, _, _ := strings.Cut(string(line), " from ")
	about, _, _ = strings.Cut(about, " serving ")
	s.to.Warn("http server", "about", terminal.OneLine(about))
	return len(line), nil
}

// takeLibraryLines logs the lines that libraries write to the standard log.
func takeLibraryLines(to *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(libraryLines{to})
}

// libraryLines removes what a line quotes. net/http quotes what follows an answer of Voiceflow, in
// which nobody has looked for a key (net/http, transport.go, 'Unsolicited response').
type libraryLines struct{ to *slog.Logger }

func (l libraryLines) Write(line []byte) (int, error) {
	about, _, _ := strings.Cut(string(line), " starting with ")
	about, _, _ = strings.Cut(about, `"`)
	l.to.Warn("library", "about", terminal.OneLine(about))
	return len(line), nil
}
