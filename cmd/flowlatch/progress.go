package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows on standard error how far a command is: a bar where that is a terminal,
// else a line for each tenth of the way. It is for one goroutine.
type progress struct {
	what  string
	total int
	bar   *progressbar.ProgressBar // nil where standard error is no terminal
	told  int                      // how much of the way the last line told of, in steps
}

// newProgress begins to show how many of total are done; total is 0 where that is not
// known. what says what is done, such as "adding".
func newProgress(what string, total int) *progress {
	p := &progress{what: what, total: total}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		whole := total
		if whole == 0 {
			whole = -1 // what the library takes for an end that is not known
		}
		p.bar = progressbar.NewOptions(whole,
			progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetSpinnerChangeInterval(0), // by set alone, and not from a goroutine
			progressbar.OptionClearOnFinish())
	}
	return p
}

// unknownStep is after how many there is a line where the total is not known.
const unknownStep = 1000

// set says that done are done.
func (p *progress) set(done int) {
	if p.bar != nil {
		_ = p.bar.Set(done) // a bar that can't be drawn ends nothing
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

// aside prints a line on standard output that the bar does not stand in.
func (p *progress) aside(line string) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	sayOnStdout(line)
}

// finish takes the bar away, wherever it stands.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Clear()
		_ = p.bar.Exit()
	}
}
