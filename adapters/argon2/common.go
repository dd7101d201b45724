package argon2

import (
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go"
	"github.com/ccojocar/zxcvbn-go/match"
	"github.com/ccojocar/zxcvbn-go/matching"

	"github.com/flowlatch/flowlatch/domain"
)

// How many code points are looked at. The time that zxcvbn takes grows with the square
// of the length, to some 20 ms for 128, and for spellings such as p@ssw0rd with the
// number of their readings too: 30 ms for 20, four seconds for 128.
const (
	maxLooked    = 128
	maxRespelled = 20
)

// maxCommon is below how many bits of entropy a password counts as common: whoever
// tries the likeliest first, as zxcvbn ranks them, has it within 65,536 guesses. That
// takes in all of its list of 7,000 passwords, and so the 3,000 most common ones, which
// OWASP ASVS 5.0, 6.2.4 asks to be refused, and what is made of one by a capital, a digit
// or a sign. Two ordinary words are beyond it: there are no rules of composition here.
const maxCommon = 16

// common says whether password is one of the most common ones, or hardly another. A
// password too long to be looked at is none of them.
func common(password domain.Secret) bool {
	text := password.Reveal()
	length := utf8.RuneCountInString(text)
	if length > maxLooked {
		return false
	}
	var leaveOut []func(match.Matcher) bool
	if length > maxRespelled {
		leaveOut = append(leaveOut, matching.FilterL33tMatcher)
	}
	return zxcvbn.PasswordStrength(text, nil, leaveOut...).Entropy < maxCommon
}
