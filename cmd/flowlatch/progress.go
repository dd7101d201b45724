package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows on standard error how much of its work a command has done. At a terminal it
// is a bar, otherwise a line after each tenth. Only one goroutine may use it.
type progress struct {
	what  string
	total int
	bar   *progressbar.ProgressBar // nil if standard error is not a terminal
	told  int                      // the step that the last line reported
}

// newProgress begins to show how many of total are done. total is 0 if it is unknown. what
// says what the command does, such as "adding".
func newProgress(what string, total int) *progress {
	p := &progress{what: what, total: total}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		whole := total
		if whole == 0 {
			whole = -1 // the library shows an unknown total
		}
		p.bar = progressbar.NewOptions(whole,
			progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetSpinnerChangeInterval(0), // set draws, not a goroutine
			progressbar.OptionClearOnFinish())
	}
	return p
}

// unknownStep is how many are done between two lines if the total is unknown.
const unknownStep = 1000

// set shows that done are done.
func (p *progress) set(done int) {
	if p.bar != nil {
		_ = p.bar.Set(done) // a bar that can't be drawn is not an error
		return
	}
	if p.total == 0 {
		if step := done / unknownStep; step > p.told {
			p.told = step
			sayOnStderr(fmt.Sprintf("%s: %d", p.what, done))
		}
		return
	}
	if step := done * 10 / p.total; step > p.told {
		p.told = step
		sayOnStderr(fmt.Sprintf("%s: %d of %d", p.what, done, p.total))
	}
}

// aside prints a line on standard output, and not in the line of the bar.
func (p *progress) aside(line string) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	sayOnStdout(line)
}

// finish removes the bar.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Clear()
		_ = p.bar.Exit()
	}
}
