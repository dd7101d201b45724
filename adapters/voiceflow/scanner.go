package voiceflow

import (
	"bytes"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxName bounds the names that are looked for, escapes included.
	maxName = 64
	// maxHeldID bounds how much of a value is held back to see whether it is a user id:
	// the longest one, with every byte escaped.
	maxHeldID = 6 * domain.MaxOwnUserID
	// maxDepth bounds the objects that are known to be open; encoders of JSON have a
	// limit of their own, far below.
	maxDepth = 1000
)

// creditsUsedUp is what the debug trace says that comes in place of an answer when a
// project has no credits left (observed in production, 2026).
var creditsUsedUp = []byte("credit_limit_reached")

// scanner goes through an answer piece by piece. The user ids of the caller it turns
// back, and everything else it lets pass, to the byte, whether it is JSON or not: Voiceflow
// has raw control characters in its JSON, and a piece may end anywhere.
//
// A member is what JSON makes it: a string behind a string and a colon. Inside a string
// there is none, since quotes are escaped there.
type scanner struct {
	own    func(bound string) (own string, ours bool) // nil when ids stay as they are
	usedUp func()                                     // nil when nobody asks, or it was called
	lines  bool                                       // each line stands for itself, as in server-sent events

	inString bool
	escaped  bool   // the next byte stands behind a backslash
	role     role   // of the string
	held     []byte // what earlier pieces had of the string, where it matters

	last  role // what the last string is if a colon follows it
	colon role // what the next string is, since a colon is before it

	objects []object // that are open
	deeper  int      // how many more are open than objects can tell
	debugs  int      // how many of objects are debug traces
	said    bool     // the string says that credits are used up
	maybe   bool     // the last string did, and is no name unless a colon follows
	tail    []byte   // the end of the string so far, which creditsUsedUp may begin in
	out     []byte
}

// role is what a string is.
type role byte

const (
	roleNone    role = iota
	roleOpen         // a name, or an element of an array: what follows tells
	roleUserID       // the value of a member userID; of a name: userID
	roleType         // the value of a member type; of a name: type
	roleAnother      // another value or name
	roleLong         // a name or an element that is longer than any name that matters
)

// object is what is known of an object that is open.
type object byte

const (
	isDebug  object = 1 << iota // its member type is debug
	isUsedUp                    // a value in it says that credits are used up
)

// ends are the bytes that end a run of a string, and marks those that mean something
// outside of one. Line ends mean something in both where lines stand for themselves.
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

// scan returns what goes out for piece: piece itself where nothing in it changes, or what
// is good until the next call.
func (s *scanner) scan(piece []byte) []byte {
	s.out = s.out[:0]
	from := 0  // what stands before has gone to out, or is held
	start := 0 // of the string's content in piece
	i := 0
	for i < len(piece) {
		if !s.inString {
			for i < len(piece) && !marks[piece[i]] {
				i++
			}
			if i == len(piece) {
				break
			}
			s.mark(piece[i])
			i++
			start = i
			continue
		}
		if s.escaped && (!s.lines || !isLineEnd(piece[i])) {
			s.escaped = false
			i++
			continue
		}
		run := i
		for i < len(piece) && !ends[piece[i]] {
			i++
		}
		s.look(piece[run:i], i == len(piece))
		if i == len(piece) {
			break
		}
		switch c := piece[i]; {
		case c == '\\':
			s.escaped = true
			s.tail = s.tail[:0]
		case c == '"':
			from = s.endString(piece, from, start, i)
		case s.lines:
			// The line ends inside of the string: it is none.
			from = s.release(piece, from, start)
			s.reset()
		default: // a raw line end, which is as good as any other character
			s.tail = s.tail[:0]
		}
		i++
	}
	if s.inString {
		from = s.keep(piece, from, start)
	}
	if from == 0 && len(s.out) == 0 {
		return piece
	}
	s.out = append(s.out, piece[from:]...)
	return s.out
}

// end returns out with what is held behind it, since nothing more comes.
func (s *scanner) end(out []byte) []byte {
	if s.inString && s.role == roleUserID && len(s.held) > 0 {
		out = append(out[:len(out):len(out)], s.held...)
	}
	s.reset()
	return out
}

// reset forgets everything that was before.
func (s *scanner) reset() {
	s.inString, s.escaped, s.role, s.last, s.colon = false, false, roleNone, roleNone, roleNone
	s.held, s.tail, s.objects = s.held[:0], s.tail[:0], s.objects[:0]
	s.deeper, s.debugs, s.said, s.maybe = 0, 0, false, false
}

func isLineEnd(c byte) bool { return c == '\n' || c == '\r' }

// mark takes a byte of marks outside of a string.
func (s *scanner) mark(c byte) {
	switch c {
	case '\n', '\r':
		if s.lines {
			s.reset()
		}
		return
	case ':':
		s.colon, s.last, s.maybe = s.last, roleNone, false
		if s.colon == roleNone {
			s.colon = roleAnother
		}
		return
	case '"':
		s.inString, s.role = true, s.colon
		if s.role == roleNone {
			s.role = roleOpen
		}
		s.said, s.maybe = false, false
		s.tail = s.tail[:0]
		return
	}
	if s.usedUp != nil {
		if s.maybe {
			s.saysUsedUp()
		}
		switch c {
		case '{':
			s.open()
		case '}':
			s.close()
		}
	}
	s.last, s.colon, s.maybe = roleNone, roleNone, false
}

// limit is how much of a string is kept to know it, 0 where it does not matter.
func (s *scanner) limit() int {
	switch {
	case s.role == roleUserID && s.own != nil:
		return maxHeldID
	case s.role == roleOpen, s.role == roleType && s.usedUp != nil:
		return maxName
	}
	return 0
}

// endString takes a string that ends before piece[end] and whose content in piece begins
// at start. It returns how much of piece has gone to out.
func (s *scanner) endString(piece []byte, from, start, end int) int {
	content := piece[start:end]
	if len(s.held) > 0 {
		// The bytes from earlier pieces stay at the front, for release.
		content = append(s.held, content...)
	}
	if len(content) > s.limit() {
		content = nil
	}
	s.inString = false
	s.last = roleNone
	switch s.role {
	case roleOpen:
		s.last = roleAnother
		switch string(unescaped(content)) {
		case "userID":
			s.last = roleUserID
		case "type":
			s.last = roleType
		}
	case roleType:
		if s.usedUp != nil && string(unescaped(content)) == "debug" {
			s.isDebug()
		}
	case roleUserID:
		from = s.turnBack(content, piece, from, start, end)
	}
	if s.said {
		if s.role == roleOpen || s.role == roleLong {
			s.maybe = true
		} else {
			s.saysUsedUp()
		}
	}
	s.held, s.colon = s.held[:0], roleNone
	return from
}

// turnBack puts the caller's own id in the place of content, if it is one of theirs.
func (s *scanner) turnBack(content, piece []byte, from, start, end int) int {
	if content == nil || s.own == nil {
		return s.release(piece, from, start)
	}
	own, ours := s.own(string(unescaped(content)))
	if !ours {
		return s.release(piece, from, start)
	}
	s.out = append(s.out, piece[from:start]...)
	text := quoted(nil, own)
	s.out = append(s.out, text[1:len(text)-1]...)
	return end
}

// release lets what is held go, with what stands before it.
func (s *scanner) release(piece []byte, from, start int) int {
	if s.role != roleUserID || len(s.held) == 0 {
		return from
	}
	s.out = append(append(s.out, piece[from:start]...), s.held...)
	s.held = s.held[:0]
	return start
}

// keep keeps what piece has of a string that goes on, where it matters. A user id is held
// back with that.
func (s *scanner) keep(piece []byte, from, start int) int {
	limit := s.limit()
	if limit == 0 {
		return from
	}
	if len(s.held)+len(piece)-start > limit {
		from = s.release(piece, from, start)
		s.held = s.held[:0]
		if s.role == roleOpen {
			s.role = roleLong
		} else {
			s.role = roleAnother
		}
		return from
	}
	if s.role == roleUserID {
		s.out = append(s.out, piece[from:start]...)
		from = len(piece)
	}
	s.held = append(s.held, piece[start:]...)
	return from
}

// unescaped is the text of a string's content, and nothing for what is no JSON.
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

// look looks for creditsUsedUp in a run of a string, which may go on in the next piece.
func (s *scanner) look(run []byte, goesOn bool) {
	if s.usedUp == nil || s.said || len(run) == 0 {
		return
	}
	most := len(creditsUsedUp) - 1
	if len(s.tail) > 0 {
		s.tail = append(s.tail, run[:min(len(run), most)]...)
		s.said = bytes.Contains(s.tail, creditsUsedUp)
		s.tail = s.tail[max(0, len(s.tail)-most):]
	}
	if len(run) > most {
		s.said = s.said || bytes.Contains(run, creditsUsedUp)
		s.tail = s.tail[:0]
	}
	if goesOn && len(s.tail) == 0 {
		s.tail = append(s.tail, run[max(0, len(run)-most):]...)
	}
}

func (s *scanner) open() {
	if len(s.objects) == maxDepth {
		s.deeper++
		return
	}
	s.objects = append(s.objects, 0)
}

func (s *scanner) close() {
	n := len(s.objects)
	switch {
	case s.deeper > 0:
		s.deeper--
	case n > 0:
		last := s.objects[n-1]
		s.objects = s.objects[:n-1]
		if last&isDebug != 0 {
			s.debugs--
		} else if n > 1 {
			s.objects[n-2] |= last & isUsedUp
		}
	}
}

// isDebug notes that the object that is open is a debug trace.
func (s *scanner) isDebug() {
	n := len(s.objects)
	if n == 0 || s.deeper > 0 || s.objects[n-1]&isDebug != 0 {
		return
	}
	s.objects[n-1] |= isDebug
	s.debugs++
	if s.objects[n-1]&isUsedUp != 0 {
		s.saysUsedUp()
	}
}

// saysUsedUp notes that a value says that the credits are used up. It counts inside of a
// debug trace only, and what is inside of one may become known later.
func (s *scanner) saysUsedUp() {
	if s.usedUp == nil {
		return
	}
	if s.debugs > 0 {
		s.usedUp()
		s.usedUp = nil
		return
	}
	if n := len(s.objects); n > 0 {
		s.objects[n-1] |= isUsedUp
	}
}
