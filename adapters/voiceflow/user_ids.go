package voiceflow

import "github.com/flowlatch/flowlatch/domain"

// maxHeldID is the longest content of a string that can be a pseudonym, in bytes. It is the
// longest pseudonym with every character escaped.
const maxHeldID = 6 * domain.MaxPseudonym

// userIDs replaces the caller's pseudonyms in an answer with the caller's own ids. It replaces
// strings of JSON, as names and as values, that are a pseudonym and nothing else. It leaves
// everything else unchanged. It holds back a string that begins like a pseudonym until the string
// has ended, if that is in a later piece.
type userIDs struct {
	own func(bound string) (own string, ours bool)

	open bool   // in a string that can be a pseudonym so far
	held []byte // the content of the string that came with earlier pieces
	at   int    // where the content begins in the piece that is not held
	out  []byte // the answer to the current piece
	from int    // where the part of the piece begins that is neither in out nor held
}

// begin begins a piece.
func (u *userIDs) begin() { u.out, u.from, u.at = u.out[:0], 0, 0 }

// take takes a part of the piece that begins at start.
func (u *userIDs) take(p part, piece []byte, start int) {
	switch {
	case p.kind == beginString:
		u.at = start + p.n
		u.open = u.at == len(piece) || piece[u.at] == domain.PseudonymPrefix[0] || piece[u.at] == '\\'
	case !u.open:
	case p.kind == endLine:
		u.release()
	case p.kind == endString:
		u.end(piece, start+p.n-1)
	case !u.canBegin(piece[u.at : start+p.n]):
		u.release()
	}
}

// canBegin reports whether what is held and then more can be the beginning of a pseudonym.
func (u *userIDs) canBegin(more []byte) bool {
	if len(u.held) == 0 {
		return beginsID(more) && len(more) <= maxHeldID
	}
	if len(u.held) >= longestBegin {
		return len(u.held)+len(more) <= maxHeldID
	}
	var begin [longestBegin]byte
	n := copy(begin[:], u.held)
	n += copy(begin[n:], more)
	return beginsID(begin[:n]) && len(u.held)+len(more) <= maxHeldID
}

// end replaces the string, whose content ends at end, if it is a pseudonym of the caller.
func (u *userIDs) end(piece []byte, end int) {
	if content := piece[u.at:end]; u.canBegin(content) {
		if len(u.held) > 0 {
			content = append(u.held, content...)
		}
		if own, ours := u.own(string(unescaped(content))); ours {
			u.out = append(u.out, piece[u.from:u.at]...)
			quote := quoted(nil, own)
			u.out = append(u.out, quote[1:len(quote)-1]...)
			u.from, u.held = end, u.held[:0]
		}
	}
	u.release()
}

// release lets the string pass as it is.
func (u *userIDs) release() {
	u.out = append(u.out, u.held...)
	u.held, u.open = u.held[:0], false
}

// next returns the answer to the piece. The answer to the last piece includes what is held.
func (u *userIDs) next(piece []byte, last bool) []byte {
	end := len(piece)
	if u.open && last {
		u.release()
	} else if u.open {
		end = u.at
	}
	if u.from == 0 && len(u.out) == 0 && end == len(piece) {
		return piece
	}
	u.out = append(u.out, piece[u.from:end]...)
	u.held = append(u.held, piece[end:]...)
	return u.out
}

// longestBegin is the length of the longest form of domain.PseudonymPrefix in JSON.
const longestBegin = 6 * len(domain.PseudonymPrefix)

// beginsID reports whether the content of a string can begin domain.PseudonymPrefix, or begins
// with it. Each character may be escaped.
func beginsID(content []byte) bool {
	for i := 0; i < len(domain.PseudonymPrefix); i++ {
		want := domain.PseudonymPrefix[i]
		switch {
		case len(content) == 0:
			return true
		case content[0] == want:
			content = content[1:]
		case content[0] != '\\':
			return false
		default:
			escape := [...]byte{'\\', 'u', '0', '0', '0' + want>>4, "0123456789abcdef"[want&15]}
			for j, c := range content[:min(len(content), len(escape))] {
				if c != escape[j] && (j < 4 || c|0x20 != escape[j]) {
					return false
				}
			}
			content = content[min(len(content), len(escape)):]
		}
	}
	return true
}
