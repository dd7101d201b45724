package voiceflow

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// maxWord is the longest name or type that the lexer recognizes, in bytes with escapes.
const maxWord = 64

// lexer splits an answer into parts. It keeps its state between pieces, so a piece may end
// anywhere. It accepts any bytes. Voiceflow has raw control characters in its JSON, and an
// answer may be cut or not JSON at all.
//
// A member is what JSON calls a member: a string and a colon, then a string. Nothing inside a
// string looks like a member, because quotes are escaped there.
type lexer struct {
	lines bool // each line is a document of its own, as in server-sent events

	inString bool
	escaped  bool // the next byte of the string belongs to an escape
	role     role
	word     []byte // the content of the string so far, if it can be a name or a type
	long     bool   // the content is longer than maxWord

	last  role // the role of the value if a colon follows the last string
	colon role // the role of the next string, since a colon is read
}

// role is what a string is.
type role byte

const (
	roleNone    role = iota // a name, or an element of a list
	roleType                // the value of a member type
	roleMessage             // the value of a member message
	rolePayload             // the value of a member payload
	roleTraces              // the value of a member traces or trace
	roleOther               // the value of another member
)

// part is a run of bytes and, unless the piece ends first, the byte that ends the run.
type part struct {
	kind kind
	n    int // the length of the part, with the byte that ends the run
}

// run returns the run of the part, which b begins with.
func (p part) run(b []byte) []byte {
	if p.kind == text || p.kind == between {
		return b[:p.n]
	}
	return b[:p.n-1]
}

// kind says where a part stands and what ends it.
type kind byte

const (
	between     kind = iota // outside of strings; the piece ends
	beginString             // a quote begins a string
	colon                   // a colon
	beginObject             // a left brace
	endObject               // a right brace
	beginList               // a left bracket
	endList                 // a right bracket
	comma                   // a comma
	text                    // inside a string; the piece ends
	notText                 // inside a string; an escape or a raw line end interrupts the text
	endString               // a quote ends the string
	endLine                 // a line ends, and whatever stands before means nothing from now on
)

// ends are the bytes that end a run inside a string. marks are those that end a run outside.
var (
	ends  = bytesOf("\"\\\n\r")
	marks = bytesOf("\"{}[],:\n\r")
)

func bytesOf(list string) (set [256]bool) {
	for _, b := range []byte(list) {
		set[b] = true
	}
	return set
}

func isLineEnd(c byte) bool { return c == '\n' || c == '\r' }

// next reads the first part of b. b is not empty.
func (l *lexer) next(b []byte) part {
	if l.inString {
		return l.inside(b)
	}
	for i, c := range b {
		if marks[c] && (l.lines || !isLineEnd(c)) {
			return part{l.mark(c), i + 1}
		}
	}
	return part{between, len(b)}
}

// mark handles a byte of marks outside strings.
func (l *lexer) mark(c byte) kind {
	switch c {
	case '\n', '\r':
		l.reset()
		return endLine
	case ':':
		l.colon, l.last = l.last, roleNone
		if l.colon == roleNone {
			l.colon = roleOther
		}
		return colon
	case '"':
		l.inString, l.role = true, l.colon
		l.word, l.long = l.word[:0], false
		return beginString
	}
	l.last, l.colon = roleNone, roleNone
	switch c {
	case '{':
		return beginObject
	case '}':
		return endObject
	case '[':
		return beginList
	case ']':
		return endList
	}
	return comma
}

// inside reads a part of a string.
func (l *lexer) inside(b []byte) part {
	if l.escaped && (!l.lines || !isLineEnd(b[0])) {
		l.escaped = false
		l.collect(b[:1])
		return part{notText, 1}
	}
	n := 0
	for n < len(b) && !ends[b[n]] {
		n++
	}
	if n == len(b) {
		l.collect(b)
		return part{text, n}
	}
	switch c := b[n]; {
	case c == '"':
		l.collect(b[:n])
		l.endString()
		return part{endString, n + 1}
	case c == '\\':
		l.escaped = true
	case l.lines: // the line ends inside the string, so it is not a string
		l.reset()
		return part{endLine, n + 1}
	}
	l.collect(b[:n+1])
	return part{notText, n + 1}
}

// endString finds out what the string names if a colon follows.
func (l *lexer) endString() {
	l.inString, l.colon, l.last = false, roleNone, roleNone
	if l.role != roleNone {
		return
	}
	switch string(l.content()) {
	case "type":
		l.last = roleType
	case "message":
		l.last = roleMessage
	case "payload":
		l.last = rolePayload
	case "traces", "trace":
		l.last = roleTraces
	default:
		l.last = roleOther
	}
}

// collect keeps content of a string that can be a name or a type.
func (l *lexer) collect(content []byte) {
	if l.long || l.role != roleNone && l.role != roleType && l.role != roleMessage {
		return
	}
	if l.long = len(l.word)+len(content) > maxWord; !l.long {
		l.word = append(l.word, content...)
	}
}

// content returns the text of the string that ended last, if it can be a name or a type. It is
// empty for a string longer than maxWord.
func (l *lexer) content() []byte {
	if l.long {
		return nil
	}
	return unescaped(l.word)
}

// reset forgets everything that stands before.
func (l *lexer) reset() { *l = lexer{lines: l.lines, word: l.word[:0]} }

// unescaped returns the text of a string's content. It is empty if the content is invalid.
func unescaped(content []byte) []byte {
	if bytes.IndexByte(content, '\\') < 0 {
		return content
	}
	raw := append(append([]byte{'"'}, content...), '"')
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return nil
	}
	return text
}
