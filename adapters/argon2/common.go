package argon2

import (
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go"
	"github.com/ccojocar/zxcvbn-go/match"
	"github.com/ccojocar/zxcvbn-go/matching"

	"github.com/flowlatch/flowlatch/domain"
)

// The most code points that are examined. The time of zxcvbn grows with the square of the
// length: 20 ms for 128. For spellings such as p@ssw0rd it also grows with the number of
// their readings: 30 ms for 20 code points, four seconds for 128.
const (
	maxExamined  = 128
	maxRespelled = 20
)

// maxCommon is the entropy in bits below which a password is common. Whoever tries the
// likeliest passwords first, by the ranking of zxcvbn, finds it within 65,536 guesses.
//
// The bound covers all 7,000 passwords of zxcvbn's list, and those that differ by a capital,
// a digit or a sign. So it covers the 3,000 most common passwords, which OWASP ASVS 5.0,
// 6.2.4 wants rejected. Two ordinary words are above the bound. There are no rules of
// composition.
const maxCommon = 16

// common reports whether password is one of the most common ones, or close to one. A
// password that is too long to be examined is not common.
func common(password domain.Secret) bool {
	text := password.Reveal()
	length := utf8.RuneCountInString(text)
	if length > maxExamined {
		return false
	}
	var leaveOut []func(match.Matcher) bool
	if length > maxRespelled {
		leaveOut = append(leaveOut, matching.FilterL33tMatcher)
	}
	return zxcvbn.PasswordStrength(text, nil, leaveOut...).Entropy < maxCommon
}
