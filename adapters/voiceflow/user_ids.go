package voiceflow

import "github.com/flowlatch/flowlatch/domain"

// maxHeldID is the longest value that can be a user id, in bytes. It is the longest id with
// every byte escaped.
const maxHeldID = 6 * domain.MaxOwnUserID

// userIDs replaces the user ids in an answer with the caller's own ids. It leaves everything
// else unchanged. It holds back a value of userID until the value has ended.
type userIDs struct {
	own func(bound string) (own string, ours bool)

	holds bool   // the string is the value of userID, and its content is held back
	held  []byte // the content so far
	out   []byte // the answer to the current piece
	from  int    // where the part of the piece begins that is neither in out nor held
}

// begin begins a piece.
func (u *userIDs) begin() { u.out, u.from = u.out[:0], 0 }

// take takes a part of the piece that begins at start. role is the role of the string.
func (u *userIDs) take(p part, role role, piece []byte, start int) {
	switch {
	case p.kind == beginString && role == roleUserID:
		u.from = u.pass(piece, start+p.n)
		u.holds = true
	case !u.holds:
	case p.kind == endLine:
		u.release()
	case p.kind == endString:
		u.hold(p.run(piece[start:]), start)
		u.turnBack()
	default:
		u.hold(piece[start:start+p.n], start)
	}
}

// end returns the answer to the piece. The answer to the last piece includes what is held.
func (u *userIDs) end(piece []byte, last bool) []byte {
	if u.from == 0 && len(u.out) == 0 && !u.holds {
		return piece
	}
	u.pass(piece, len(piece))
	if last && u.holds {
		u.release()
	}
	return u.out
}

// pass puts the piece up to end into out.
func (u *userIDs) pass(piece []byte, end int) int {
	u.out = append(u.out, piece[u.from:end]...)
	return end
}

// hold holds back content that begins at start. If the content is too long for an id, it
// releases everything.
func (u *userIDs) hold(content []byte, start int) {
	if len(u.held)+len(content) > maxHeldID {
		u.release()
		u.from = start
		return
	}
	u.held = append(u.held, content...)
	u.from = start + len(content)
}

// turnBack replaces what is held with the caller's own id, if it is a user id of the caller.
func (u *userIDs) turnBack() {
	if !u.holds {
		return // too long
	}
	if own, ours := u.own(string(unescaped(u.held))); ours {
		quote := quoted(nil, own)
		u.held = append(u.held[:0], quote[1:len(quote)-1]...)
	}
	u.release()
}

// release releases what is held.
func (u *userIDs) release() {
	u.out = append(u.out, u.held...)
	u.held, u.holds = u.held[:0], false
}
