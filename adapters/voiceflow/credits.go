package voiceflow

import "bytes"

// maxDepth is the largest number of open objects that credits tells apart. Encoders of JSON have
// a much lower limit.
const maxDepth = 1000

// creditsUsedUp is in the debug trace that Voiceflow sends in place of an answer if a project
// has no credits left (observed in production, 2026).
var creditsUsedUp = []byte("credit_limit_reached")

// credits finds out whether an answer says that the project's credits are used up: a value
// inside a debug trace contains creditsUsedUp.
type credits struct {
	usedUp  bool
	objects []object // the open objects
	deeper  int      // the number of open objects beyond maxDepth
	debugs  int      // the number of objects that are debug traces

	begun int  // the number of bytes of creditsUsedUp at the end of the last piece
	said  bool // the string contains creditsUsedUp
	maybe bool // the last string did, and is a value unless a colon follows
}

// object is what is known about an open object.
type object byte

const (
	isDebug  object = 1 << iota // its member type is debug
	isUsedUp                    // a value in it contains creditsUsedUp
)

// take takes a part that l has just read. b begins with the part.
func (c *credits) take(p part, b []byte, l *lexer) {
	switch p.kind {
	case text:
		c.begun = beginning(c.look(p.run(b)), creditsUsedUp)
	case notText:
		c.look(p.run(b))
		c.begun = 0
	case beginString:
		c.begun, c.said, c.maybe = 0, false, false
	case endString:
		c.look(p.run(b))
		c.endString(l)
	case colon:
		c.maybe = false
	case endLine:
		*c = credits{usedUp: c.usedUp, objects: c.objects[:0]}
	case beginObject, endObject, separator:
		if c.maybe {
			c.found()
		}
		c.maybe = false
		switch p.kind {
		case beginObject:
			c.open()
		case endObject:
			c.close()
		}
	}
}

// look searches a run of a string for creditsUsedUp. It returns the run, after the bytes of
// creditsUsedUp that ended earlier pieces.
func (c *credits) look(run []byte) []byte {
	if c.begun > 0 {
		run = append(creditsUsedUp[:c.begun:c.begun], run...)
	}
	c.said = c.said || bytes.Contains(run, creditsUsedUp)
	return run
}

// endString takes the end of a string that l has read.
func (c *credits) endString(l *lexer) {
	if l.role == roleType && string(l.content()) == "debug" {
		c.isDebug()
	}
	if !c.said {
		return
	}
	if c.maybe = l.role == roleNone; !c.maybe {
		c.found()
	}
}

// open opens an object.
func (c *credits) open() {
	if len(c.objects) == maxDepth {
		c.deeper++
		return
	}
	c.objects = append(c.objects, 0)
}

// close closes the innermost object.
func (c *credits) close() {
	n := len(c.objects)
	switch {
	case c.deeper > 0:
		c.deeper--
	case n > 0:
		last := c.objects[n-1]
		c.objects = c.objects[:n-1]
		if last&isDebug != 0 {
			c.debugs--
		} else if n > 1 {
			c.objects[n-2] |= last & isUsedUp
		}
	}
}

// isDebug notes that the innermost object is a debug trace.
func (c *credits) isDebug() {
	n := len(c.objects)
	if n == 0 || c.deeper > 0 || c.objects[n-1]&isDebug != 0 {
		return
	}
	c.objects[n-1] |= isDebug
	c.debugs++
	if c.objects[n-1]&isUsedUp != 0 {
		c.found()
	}
}

// found handles a value that contains creditsUsedUp. It counts only inside a debug trace. The
// type of the object may become known later.
func (c *credits) found() {
	if c.debugs > 0 {
		c.usedUp = true
	} else if n := len(c.objects); n > 0 {
		c.objects[n-1] |= isUsedUp
	}
}
