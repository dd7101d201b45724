package domain_test

import (
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

func TestACellIsNoFormula(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"an empty cell stays", "", ""},
		{"a word stays", "Pizza Palace", "Pizza Palace"},
		{"a sign inside stays", "a=1+2-3@x", "a=1+2-3@x"},
		{"an object of the audit stays", "project:1 GET /v2/x?a=b", "project:1 GET /v2/x?a=b"},
		{"white space before a word stays", "  Bot", "  Bot"},
		{"an apostrophe stays", "'=1", "'=1"},
		{"a quote before a sign stays", `"=1"`, `"=1"`},
		{"other scripts stay", "Größe & Farbe 👟", "Größe & Farbe 👟"},
		{"invalid UTF-8 stays", "\xff=1", "\xff=1"},
		{"an equals sign is escaped", `=HYPERLINK("https://x")`, `'=HYPERLINK("https://x")`},
		{"a plus sign is escaped", "+1", "'+1"},
		{"a minus sign is escaped", "-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"},
		{"an at sign is escaped", "@SUM(1)", "'@SUM(1)"},
		{"a sign alone is escaped", "=", "'="},
		{"a tab is escaped", "\tx", "'\tx"},
		{"a carriage return is escaped", "\rx", "'\rx"},
		{"a line feed is escaped", "\nx", "'\nx"},
		{"NUL is escaped", "\x00x", "'\x00x"},
		{"a sign after spaces is escaped", "  =1", "'  =1"},
		{"a sign after a no-break space is escaped", "\u00a0@x", "'\u00a0@x"},
		{"a sign after a byte order mark is escaped", "\ufeff=1", "'\ufeff=1"},
		{"a sign after a zero width space is escaped", "\u200b=1", "'\u200b=1"},
		{"a sign after a control character is escaped", "\x0b+1", "'\x0b+1"},
		{"an equals sign in full width is escaped", "\uff1d1", "'\uff1d1"},
		{"a plus sign in full width is escaped", "\uff0b1", "'\uff0b1"},
		{"a minus sign in full width is escaped", "\uff0d1", "'\uff0d1"},
		{"an at sign in full width is escaped", "\uff20x", "'\uff20x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := domain.CSVCell(tc.text); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
