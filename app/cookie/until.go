package cookie

import (
	"encoding/binary"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// endSize is the length of the end of a text: Unix microseconds.
const endSize = 8

// SealUntil returns a text as Seal does. It holds plain and its end, in microseconds, sealed and
// bound as to says. Returns Invalid if plain is too long. Errors of the cipher are passed on.
func (c *Codec) SealUntil(ends time.Time, plain string, to domain.Binding) (string, error) {
	end := binary.BigEndian.AppendUint64(nil, uint64(ends.UnixMicro()))
	text, _, err := c.seal(string(end)+plain, to)
	return text, err
}

// OpenUntil reverses SealUntil for a text that is bound so. It does not check whether the text has
// expired. Returns NotAuthenticated if the text or the binding is wrong, and does not tell why.
// Returns Unavailable if the cipher can't answer.
func (c *Codec) OpenUntil(to domain.Binding, text string) (plain string, ends time.Time, err error) {
	opened, _, err := c.open(to, text)
	if err != nil {
		return "", time.Time{}, err
	}
	if len(opened) < endSize {
		return "", time.Time{}, domain.NotLoggedIn(nil)
	}
	return opened[endSize:], time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(opened)))).UTC(), nil
}
