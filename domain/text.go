package domain

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Instant is t as this project stores times: in UTC, truncated to microseconds. Every answer and
// both databases show the same time.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// parseText trims text. Returns Invalid if the result is empty, longer than max bytes, not UTF-8,
// or has a control character. name is the parameter in the error.
func parseText(name, text string, max int) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", invalid(name + " is missing")
	case len(text) > max:
		return "", invalid(name + " is longer than " + strconv.Itoa(max) + " bytes")
	case !utf8.ValidString(text):
		return "", invalid(name + " is not valid UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", invalid(name + " holds a control character")
	}
	return text, nil
}

// Storable returns Invalid if one of the texts has NUL or invalid UTF-8. Such text is never
// stored. What this package reads has none, but a host program can bypass it.
func Storable[T ~string](texts ...T) error {
	for _, text := range texts {
		if strings.IndexByte(string(text), 0) >= 0 || !utf8.ValidString(string(text)) {
			return invalid("a text contains NUL or invalid UTF-8; remove it")
		}
	}
	return nil
}

// foreignText makes a text from Voiceflow fit to be stored. It replaces NUL and invalid UTF-8 with
// U+FFFD and trims the text.
func foreignText(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	return strings.TrimSpace(strings.ReplaceAll(text, "\x00", "\uFFFD"))
}

// clip shortens a text that is only shown, such as a User-Agent, to at most max bytes of valid
// UTF-8 without NUL.
func clip(text string, max int) string {
	text = foreignText(text)
	if len(text) <= max {
		return text
	}
	for max > 0 && !utf8.RuneStart(text[max]) {
		max--
	}
	return text[:max]
}
