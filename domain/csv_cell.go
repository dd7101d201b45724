package domain

import (
	"strings"
	"unicode"
)

// CSVCell returns text for a cell of a CSV file that a spreadsheet opens. A cell that a spreadsheet
// could take for a formula gets an apostrophe in front, so that it stays text. These are cells that
// begin with one of = + - @ or with such a sign in full width, also after white space, and cells
// that begin with a tab, a line break or NUL. Encoding the file, with its quotes and commas, is left
// to encoding/csv.
//
// The rule is that of OWASP, 'CSV Injection' (owasp.org/www-community/attacks/CSV_Injection), and of
// OWASP ASVS 5.0, 1.2.10. Numbers of the program's own do not need it.
func CSVCell(text string) string {
	if strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "\r") || strings.HasPrefix(text, "\n") || strings.HasPrefix(text, "\x00") {
		return "'" + text
	}
	shown := strings.TrimLeftFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) // Cf: a byte order mark, zero width
	})
	for _, sign := range []string{"=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"} {
		if strings.HasPrefix(shown, sign) {
			return "'" + text
		}
	}
	return text
}
