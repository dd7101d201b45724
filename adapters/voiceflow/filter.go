package voiceflow

import (
	"bytes"
	"errors"
	"io"
	"sync/atomic"

	"github.com/flowlatch/flowlatch/domain"
)

// filter is the body of an answer as the caller reads it: without the credential, and with the
// caller's own user ids. It holds back only bytes that can be the beginning of one of them.
type filter struct {
	from       *exchange
	credential []byte
	lexer      lexer
	ids        *userIDs // nil if user ids stay as they are
	credits    *credits // nil if the answer can't tell, or after usedUp is true
	usedUp     atomic.Bool

	held  []byte // the end of what came, if the credential begins with it
	ready []byte // the bytes to return next
	ended error  // the error to return after ready
}

func newFilter(x *exchange, f domain.Forward, form form, credential domain.Secret) *filter {
	w := &filter{from: x, credential: []byte(credential.Reveal())}
	if form == formOther {
		return w
	}
	w.lexer.lines = form == formEvents
	if f.UserIDs.Own != nil {
		w.ids = &userIDs{own: f.UserIDs.Own}
	}
	if f.Route.Endpoint.Turn {
		w.credits = &credits{stream: w.lexer.lines}
	}
	return w
}

// Read returns bytes as soon as it is known that they may pass.
func (f *filter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(f.ready) == 0 {
		if f.ended != nil {
			return 0, f.ended
		}
		into := p
		if len(into) <= len(f.held) {
			into = make([]byte, len(f.held)+512)
		}
		n, err := f.from.Read(into[copy(into, f.held):])
		out := f.next(into[:len(f.held)+n], err)
		if len(out) > 0 && &out[0] == &p[0] {
			return len(out), f.ended
		}
		f.ready = out
	}
	n := copy(p, f.ready)
	f.ready = f.ready[n:]
	if len(f.ready) == 0 {
		return n, f.ended
	}
	return n, nil
}

// next returns the bytes that pass after piece came. piece begins with the held bytes, and err
// came after it.
func (f *filter) next(piece []byte, err error) []byte {
	f.ended = err
	overwrite(piece, f.credential)
	keep := len(piece)
	if err == nil || !errors.Is(err, io.EOF) {
		// The beginning of a credential in an answer that was cut goes to nobody.
		keep -= beginning(piece, f.credential)
	}
	f.held = append(f.held[:0], piece[keep:]...)
	piece = piece[:keep]
	return f.scan(piece, err != nil)
}

// scan sends a piece through both filters and returns the bytes that pass. The last piece
// releases everything that is held.
func (f *filter) scan(piece []byte, last bool) []byte {
	if f.ids == nil && f.credits == nil {
		return piece
	}
	if f.ids != nil {
		f.ids.begin()
	}
	for i := 0; i < len(piece); {
		p := f.lexer.next(piece[i:])
		if f.ids != nil {
			f.ids.take(p, piece, i)
		}
		if f.credits != nil {
			f.credits.take(p, piece[i:i+p.n], &f.lexer)
		}
		i += p.n
	}
	if f.credits != nil && last {
		f.credits.end()
	}
	if f.credits != nil && f.credits.usedUp {
		f.usedUp.Store(true)
		f.credits = nil
	}
	if f.ids == nil {
		return piece
	}
	return f.ids.next(piece, last)
}

// whole returns the filtered body for an answer with that body. It modifies body.
func (f *filter) whole(body []byte) *wholeBody {
	return &wholeBody{Reader: bytes.NewReader(f.next(body, io.EOF)), usedUp: f.usedUp.Load()}
}

// Close ends the exchange.
func (f *filter) Close() error { return f.from.Close() }

// CreditsUsedUp reports whether what was read says that the credits are used up.
func (f *filter) CreditsUsedUp() bool { return f.usedUp.Load() }

// wholeBody is the body of an answer that was read whole before it is passed on.
type wholeBody struct {
	*bytes.Reader

	usedUp bool
}

// Close does nothing.
func (*wholeBody) Close() error { return nil }

// CreditsUsedUp reports whether the answer says that the credits are used up.
func (b *wholeBody) CreditsUsedUp() bool { return b.usedUp }

// overwrite replaces every secret in b with asterisks.
func overwrite(b, secret []byte) {
	if len(secret) == 0 {
		return
	}
	for {
		i := bytes.Index(b, secret)
		if i < 0 {
			return
		}
		for j := range secret {
			b[i+j] = '*'
		}
		b = b[i+len(secret):]
	}
}

// beginning returns the number of bytes at the end of b with which secret begins.
func beginning(b, secret []byte) int {
	if len(secret) == 0 {
		return 0
	}
	b = b[max(0, len(b)-len(secret)+1):]
	for {
		i := bytes.IndexByte(b, secret[0])
		if i < 0 {
			return 0
		}
		b = b[i:]
		if bytes.HasPrefix(secret, b) {
			return len(b)
		}
		b = b[1:]
	}
}
