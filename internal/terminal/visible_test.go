package terminal

import (
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestWhatIsPrintedCommandsNoTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		for _, printed := range []string{Visible(text), OneLine(text)} {
			for _, r := range printed {
				if !unicode.IsPrint(r) {
					t.Fatalf("%q is printed as %q", text, printed)
				}
			}
		}
	})
}
