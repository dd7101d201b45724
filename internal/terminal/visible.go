package terminal

import (
	"strconv"
	"strings"
	"unicode"
)

// OneLine returns text as one line that is safe to print. It escapes characters that would
// break the line or control the terminal.
func OneLine(text string) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(text) {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// Visible returns text unchanged if every character of it can be printed. Otherwise it
// returns the text in quotes, with escapes.
func Visible(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
