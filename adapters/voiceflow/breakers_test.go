package voiceflow

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flowlatch/flowlatch/domain"
)

// calls makes calls one after the other, on a clock of its own.
type calls struct {
	*breakers
	at time.Time
}

func newCalls() *calls {
	c := &calls{at: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	c.breakers = newBreakers(func() time.Time { return c.at }, DefaultBreakerPause)
	return c
}

// make makes n calls of the assistant, and returns how many of them were sent.
func (c *calls) make(n int, p domain.ProjectID, v verdict) (sent int) {
	for range n {
		if tell, allowed := c.begin(p); allowed {
			tell(v)
			sent++
		}
	}
	return sent
}

func TestAssistantsAreHeldOff(t *testing.T) {
	const a, b = domain.ProjectID("a"), domain.ProjectID("b")
	for _, tc := range []struct {
		name string
		do   func(c *calls)
		want string // which of a and b get calls
	}{
		{"20 failures in a row hold an assistant off, and no other one", func(c *calls) { c.make(20, b, didNotAnswer) }, "a"},
		{"any number of failures of one assistant holds no other one off", func(c *calls) {
			for range 1000 {
				c.make(20, b, didNotAnswer)
				c.at = c.at.Add(DefaultBreakerPause)
			}
			c.make(1, b, didNotAnswer)
		}, "a"},
		{"the failures of two assistants hold no third one off", func(c *calls) { c.make(20, b, didNotAnswer); c.make(20, "c", didNotAnswer) }, "a"},
		{"19 failures hold nobody off", func(c *calls) { c.make(19, b, didNotAnswer) }, "ab"},
		{"a success between failures starts the count again", func(c *calls) {
			c.make(19, b, didNotAnswer)
			c.make(1, b, answered)
			c.make(19, b, didNotAnswer)
		}, "ab"},
		{"20 failures of three assistants hold everybody off", func(c *calls) {
			c.make(7, "c", didNotAnswer)
			c.make(7, "d", didNotAnswer)
			c.make(6, b, didNotAnswer)
		}, ""},
		{"a success of anybody between the failures of many holds nobody off", func(c *calls) {
			for i := range 1000 {
				if i%19 == 0 {
					c.make(1, a, answered)
				}
				c.make(1, domain.ProjectID(strconv.Itoa(i)), didNotAnswer)
			}
		}, "ab"},
		{"one failure of many assistants each holds everybody off", func(c *calls) {
			for i := range 20 {
				c.make(1, domain.ProjectID(strconv.Itoa(i)), didNotAnswer)
			}
		}, ""},
		{"calls that tell nothing hold nobody off", func(c *calls) { c.make(1000, b, tellsNothing) }, "ab"},
		{"calls that tell nothing do not start the count again", func(c *calls) {
			c.make(10, b, didNotAnswer)
			c.make(10, b, tellsNothing)
			c.make(10, b, didNotAnswer)
		}, "a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCalls()
			tc.do(c)
			got := ""
			for _, p := range []domain.ProjectID{a, b} {
				held := c.heldOff(p)
				if tell, allowed := c.begin(p); allowed {
					tell(tellsNothing)
					got += string(p)
				}
				if held != c.heldOff(p) {
					t.Errorf("%s: heldOff changed with a call that told nothing", p)
				}
			}
			if got != tc.want {
				t.Errorf("got calls of %q sent, want %q", got, tc.want)
			}
		})
	}
}

func TestOneCallTriesAfterEachPause(t *testing.T) {
	c := newCalls()
	c.make(20, "b", didNotAnswer)
	for range 3 {
		c.at = c.at.Add(DefaultBreakerPause - 1)
		if n := c.make(5, "b", didNotAnswer); n > 0 {
			t.Fatalf("got %d calls sent before the pause was over", n)
		}
		c.at = c.at.Add(1)
		tell, allowed := c.begin("b")
		if !allowed || c.make(5, "b", answered) > 0 {
			t.Fatal("got no trial, or several")
		}
		tell(didNotAnswer)
	}
	c.at = c.at.Add(DefaultBreakerPause)
	if c.make(1, "b", tellsNothing) != 1 || c.make(1, "b", answered) != 1 {
		t.Fatal("after a trial that told nothing, no other call may try")
	}
	if n := c.make(5, "b", didNotAnswer); n != 5 || c.heldOff("b") {
		t.Errorf("after a success: got %d calls sent, want 5", n)
	}
}

// An assistant that goes on failing must not keep a service down that is back.
func TestEveryAssistantMayTryAServiceThatIsDown(t *testing.T) {
	c := newCalls()
	for i := range 20 {
		c.make(1, domain.ProjectID(strconv.Itoa(i)), didNotAnswer)
	}
	c.at = c.at.Add(DefaultBreakerPause)
	c.make(1, "0", didNotAnswer)
	if c.make(5, "1", answered) != 5 || c.make(5, "2", answered) != 5 {
		t.Error("a success of one assistant did not bring the service back for others")
	}
}

func TestOnlyTheFirstVerdictOfACallCounts(t *testing.T) {
	c := newCalls()
	for range 20 {
		tell, _ := c.begin("b")
		tell(tellsNothing)
		tell(didNotAnswer)
	}
	if c.heldOff("b") {
		t.Error("second verdicts counted")
	}
}

func TestFailuresFromBeforeAreNoNews(t *testing.T) {
	c := newCalls()
	var late []func(verdict)
	for range 100 {
		tell, _ := c.begin("b")
		late = append(late, tell)
	}
	for _, tell := range late[:20] {
		tell(didNotAnswer)
	}
	c.at = c.at.Add(DefaultBreakerPause)
	for _, tell := range late[20:] {
		tell(didNotAnswer)
	}
	if c.make(1, "b", answered) != 1 {
		t.Error("failures of calls that began before made the pause longer")
	}
}

func TestBreakersTakeBoundedMemory(t *testing.T) {
	c := newCalls()
	for i := range 3 * maxBreakers {
		c.make(1, domain.ProjectID(fmt.Sprint(i)), verdict(i%3))
		if n := c.of.Len(); n > maxBreakers || len(c.run) > maxFailures {
			t.Fatalf("got %d assistants and %d failing ones remembered", n, len(c.run))
		}
		c.at = c.at.Add(DefaultBreakerPause)
	}
}

// However calls of two assistants go, a third one is not held off.
func TestTwoAssistantsHoldNoThirdOneOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCalls()
		var open []func(verdict)
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "begin") || len(open) == 0 {
				p := rapid.SampledFrom([]domain.ProjectID{"b", "c"}).Draw(t, "assistant")
				if tell, allowed := c.begin(p); allowed {
					open = append(open, tell)
				}
			} else {
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				open[i](rapid.SampledFrom([]verdict{tellsNothing, answered, didNotAnswer, didNotAnswer, didNotAnswer}).Draw(t, "verdict"))
				open = append(open[:i], open[i+1:]...)
			}
			c.at = c.at.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
		}
		if c.heldOff("a") {
			t.Fatal("the failures of two assistants hold a third one off")
		}
	})
}
