package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/flowlatch/flowlatch/domain"
)

// fields are the fields of a form. Their names are those of the JSON routes.
type fields url.Values

// fields reads the form of the request.
func (x *request) fields() (fields, error) {
	form, err := x.Form()
	return fields(form), err
}

// text returns a field without the white space around it, "" if it is missing.
func (f fields) text(name string) string { return strings.TrimSpace(url.Values(f).Get(name)) }

// texts returns the values of a field that may be there several times, without empty ones.
func (f fields) texts(name string) []string {
	var all []string
	for _, text := range f[name] {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// shown returns a field to show it in the form again. It is "" if a key may have been pasted into it.
func (f fields) shown(name string) string { return withoutKey(f.text(name)) }

// withoutKey returns the text, or "" if it may hold a key.
func withoutKey(text string) string {
	if domain.HoldsCredential(text) {
		return ""
	}
	return text
}

// holdsKey reports whether an address may hold a key, percent-encoded or not.
func holdsKey(address string) bool {
	plain, err := url.QueryUnescape(address)
	return err != nil || domain.HoldsCredential(address) || domain.HoldsCredential(plain)
}

// noKey returns Invalid if one of the texts of a query may hold a key. The page would show it in its
// fields and links.
func noKey(texts ...string) error {
	if slices.ContainsFunc(texts, domain.HoldsCredential) {
		return &domain.Error{Kind: domain.Invalid, Public: "a Voiceflow key or an access token was pasted into a filter; replace the key, because browsers and proxies keep addresses"}
	}
	return nil
}

// words returns the words of a field, with white space or commas between them. It is nil if there
// are none.
func (f fields) words(name string) []string {
	words := strings.FieldsFunc(f.text(name), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	if len(words) == 0 {
		return nil
	}
	return words
}

// scopes returns the scopes that are checked. If there are none, it returns an empty list, which is
// rejected: a missing one would stand for the default.
func (f fields) scopes() []string { return append([]string{}, f.texts("scopes")...) }

// number returns a field that is a whole number, nil if it is empty. Returns Invalid for any other
// text.
func (f fields) number(name string) (*int, error) {
	text := f.text(name)
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, &domain.Error{Kind: domain.Invalid, Public: name + " must be a whole number"}
	}
	return &n, nil
}

// secret returns a field that is a password or a key, as it was typed.
func (f fields) secret(name string) domain.Secret { return domain.NewSecret(url.Values(f).Get(name)) }

// checked reports whether a box is checked.
func (f fields) checked(name string) bool { return f.text(name) != "" }
