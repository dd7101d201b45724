package ports

import "github.com/flowlatch/flowlatch/domain"

// Cookies turns what a cookie says into its text and back. It looks nothing up.
type Cookies interface {
	// Seal returns the text of a cookie that says c: characters that a cookie value may
	// hold (RFC 6265, section 4.1.1), at most 3,800 of them; and the key that sealed it.
	// Equal claims give different texts.
	Seal(c domain.Claims) (text string, by domain.KeyID, err error)

	// Open reverses Seal for a cookie of that kind: it returns what it says and the key
	// that sealed it, whichever key seals now. Whatever is wrong with text, another
	// kind or one bit of difference included, it is NotAuthenticated and nothing more.
	// That the claims have not expired is for the caller to see.
	Open(kind domain.SessionKind, text string) (c domain.Claims, by domain.KeyID, err error)
}
