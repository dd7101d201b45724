package voiceflow

import "bytes"

const (
	// creditsUsedUp is the message of the debug trace that Voiceflow sends in place of an answer
	// if a project has no credits left (observed in production, 2026).
	creditsUsedUp = "credit_limit_reached"
	// maxEventName is the longest name of an event that is told from others, in bytes.
	maxEventName = 32
)

// credits finds out whether an answer to a turn says that the project's credits are used up: a
// trace of the type debug whose payload has the message creditsUsedUp and nothing around it.
// Traces are the elements of the list that the answer is, or of its member traces or trace. Of
// server-sent events, a trace is the data of an event, or the member trace of that. A bot can
// say and store anything, so the same words at another place mean nothing.
type credits struct {
	stream bool // each line is a document of its own
	usedUp bool

	depth int           // the number of open objects and lists
	open  [deepest]open // those of them that can be around a trace, or in it

	line   line
	traced bool // the current event has such a trace
}

// deepest is the depth of the payload of a trace in a list in an object.
const deepest = 4

// open is an object or a list that is open.
type open struct {
	kind   openKind
	member role // the role of the member that was read last
	debug  bool // of a trace: its type is debug
	usedUp bool // of a trace: the message of its payload is creditsUsedUp
}

type openKind byte

const (
	otherKind   openKind = iota
	answerKind           // the object that the answer is
	listKind             // the list of traces
	traceKind            // a trace
	payloadKind          // the payload of a trace
)

// take takes a part, and the bytes of it, that l has just read.
func (c *credits) take(p part, b []byte, l *lexer) {
	if c.stream {
		c.line.take(b)
	}
	switch p.kind {
	case beginObject:
		c.push(c.objectKind())
	case beginList:
		c.push(c.kindOfList())
	case endObject, endList:
		c.pop()
	case colon:
		c.begin(l.colon)
	case endString:
		c.value(l)
	case comma:
		if top := c.top(); top != nil {
			top.member = roleNone
		}
	case endLine:
		c.depth = 0
		c.endLine(b[len(b)-1])
	}
}

// top returns the innermost open object or list, if it is among open.
func (c *credits) top() *open {
	if c.depth == 0 || c.depth > deepest {
		return nil
	}
	return &c.open[c.depth-1]
}

// objectKind returns what the object is that begins.
func (c *credits) objectKind() openKind {
	top := c.top()
	switch {
	case c.depth == 0 && c.stream && !c.line.isData():
		return otherKind
	case c.depth == 0 && c.stream:
		return traceKind
	case c.depth == 0:
		return answerKind
	case top == nil:
		return otherKind
	case top.kind == listKind, c.depth == 1 && c.stream && top.kind == traceKind && top.member == roleTraces:
		return traceKind
	case top.kind == traceKind && top.member == rolePayload:
		return payloadKind
	}
	return otherKind
}

// kindOfList returns what the list is that begins.
func (c *credits) kindOfList() openKind {
	top := c.top()
	if c.depth == 0 && !c.stream || top != nil && top.kind == answerKind && top.member == roleTraces {
		return listKind
	}
	return otherKind
}

// push opens an object or a list.
func (c *credits) push(kind openKind) {
	c.depth++
	if top := c.top(); top != nil {
		*top = open{kind: kind}
	}
}

// pop closes the innermost object or list.
func (c *credits) pop() {
	if top := c.top(); top != nil && top.kind == traceKind && top.debug && top.usedUp {
		c.found()
	}
	c.depth = max(0, c.depth-1)
}

// begin notes that the value of a member begins. Of members with one name the last one counts.
func (c *credits) begin(member role) {
	top := c.top()
	if top == nil {
		return
	}
	top.member = member
	switch {
	case top.kind == traceKind && member == roleType:
		top.debug = false
	case top.kind == traceKind && member == rolePayload:
		top.usedUp = false
	case top.kind == payloadKind && member == roleMessage:
		c.open[c.depth-2].usedUp = false
	}
}

// value takes a string that has ended.
func (c *credits) value(l *lexer) {
	top := c.top()
	switch {
	case top == nil:
	case top.kind == traceKind && l.role == roleType:
		top.debug = string(l.content()) == "debug"
	case top.kind == payloadKind && l.role == roleMessage:
		c.open[c.depth-2].usedUp = string(l.content()) == creditsUsedUp
	}
}

// found takes a trace that says that the credits are used up.
func (c *credits) found() {
	if c.stream {
		c.traced = true // the name of the event may come later
	} else {
		c.usedUp = true
	}
}

// endLine takes the end of a line. An empty line ends an event (WHATWG HTML, section 9.2.6).
func (c *credits) endLine(end byte) {
	if empty := c.line.end(end); empty {
		c.endEvent()
	}
}

// endEvent takes the end of an event. An event of another name is no trace: a state has
// variables, which a caller may have set.
func (c *credits) endEvent() {
	c.usedUp = c.usedUp || c.traced && c.line.isTrace()
	c.traced, c.line.event = false, c.line.event[:0]
}

// end takes the end of the answer.
func (c *credits) end() {
	if c.stream {
		c.line.name()
		c.endEvent()
	}
}

// line is the beginning of a line of server-sent events.
type line struct {
	begin []byte // up to maxEventName bytes
	long  bool   // the line is longer
	after byte   // what ended the line before
	event []byte // the name of the event
}

// take takes a part of the line, with the byte that ends it.
func (l *line) take(b []byte) {
	for i := 0; i < len(b) && !isLineEnd(b[i]); i++ {
		if len(l.begin) == maxEventName {
			l.long = true
			return
		}
		l.begin = append(l.begin, b[i])
	}
	if len(l.begin) > 0 {
		l.after = 0
	}
}

// isData reports whether the line is data of an event.
func (l *line) isData() bool { return bytes.HasPrefix(l.begin, []byte("data:")) }

// isTrace reports whether the event can be a trace. An event without a name is a message.
func (l *line) isTrace() bool {
	switch string(l.event) {
	case "", "message", "trace":
		return true
	}
	return false
}

// name keeps the name of the event, if the line has it.
func (l *line) name() {
	if name, is := bytes.CutPrefix(l.begin, []byte("event:")); is {
		l.event = append(l.event[:0], bytes.TrimPrefix(name, []byte(" "))...)
		if l.long {
			l.event = append(l.event, "…"...) // it is none of those that count
		}
	}
	l.begin, l.long = l.begin[:0], false
}

// end takes the end of the line. It reports whether the line is empty. A carriage return and a
// line feed are one end.
func (l *line) end(by byte) (empty bool) {
	empty = len(l.begin) == 0 && (by != '\n' || l.after != '\r')
	l.name()
	l.after = by
	return empty
}
