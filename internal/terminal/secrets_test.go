package terminal

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

// inUTF16 returns text in UTF-16 after its byte order mark, as Windows writes it, or with the
// bytes of each pair exchanged.
func inUTF16(text string, bigEndian bool) string {
	var b strings.Builder
	for _, unit := range append([]uint16{0xfeff}, utf16.Encode([]rune(text))...) {
		low, high := byte(unit), byte(unit>>8)
		if bigEndian {
			low, high = high, low
		}
		b.Write([]byte{low, high})
	}
	return b.String()
}

func TestASecretIsTheFirstLineOfStandardInput(t *testing.T) {
	for _, tc := range []struct{ name, input, want, err string }{
		{"a line", "vast orange tundra\n", "vast orange tundra", ""},
		{"a line of Windows", "vast orange tundra\r\n", "vast orange tundra", ""},
		{"without an end", "vast orange tundra", "vast orange tundra", ""},
		{"several lines", "vast orange tundra\nand more\n", "vast orange tundra", ""},
		{"spaces are kept", "  vast orange  \n", "  vast orange  ", ""},
		{"a byte order mark of UTF-8", "\xef\xbb\xbfgr\u00fcne tundra\r\n", "gr\u00fcne tundra", ""},
		{"a mark in the middle is kept", "vast\ufefforange\n", "vast\ufefforange", ""},
		{"UTF-16 of Windows", inUTF16("gr\u00fcne \U0001f511 tundra\r\nmore", false), "gr\u00fcne \U0001f511 tundra", ""},
		{"big-endian UTF-16", inUTF16("gr\u00fcne tundra\n", true), "gr\u00fcne tundra", ""},
		{"UTF-16 without an end", inUTF16("gr\u00fcne tundra", false), "gr\u00fcne tundra", ""},
		{"decomposed text is kept", "e\u0301toile\n", "e\u0301toile", ""},
		{"nothing", "", "", "is empty"},
		{"an empty line", "\r\nvast orange tundra\n", "", "is empty"},
		{"a mark and nothing else", "\xef\xbb\xbf\n", "", "is empty"},
		{"a mark of UTF-16 and nothing else", "\xff\xfe", "", "is empty"},
		{"Latin-1", "gr\xfcne canary\n", "", "neither UTF-8 nor UTF-16"},
		{"half a character of UTF-16", "\xff\xfe\x00\xd8c\x00a\x00", "", "neither UTF-8 nor UTF-16"},
		{"half a pair of UTF-16", "\xff\xfec\x00a", "", "neither UTF-8 nor UTF-16"},
		{"a line that is too long", strings.Repeat("canary", maxSecretLine), "", "too long"},
		{"a line in UTF-16 that is too long", inUTF16(strings.Repeat("canary", maxSecretLine), false), "", "too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, from := range []io.Reader{strings.NewReader(tc.input), iotest.OneByteReader(strings.NewReader(tc.input))} {
				got, err := readLine("the password", from)
				if got.Reveal() != tc.want {
					t.Errorf("got %q, want %q", got.Reveal(), tc.want)
				}
				switch {
				case tc.err == "" && err != nil:
					t.Errorf("got error %v, want none", err)
				case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
					t.Errorf("got error %v, want one with %q", err, tc.err)
				case err != nil && strings.Contains(err.Error(), "canary"):
					t.Errorf("the error %v shows the secret", err)
				}
			}
		})
	}
}

func FuzzASecretIsOneLine(f *testing.F) {
	for _, text := range []string{"", "a\r\n", "\xef\xbb\xbfa", "\xff\xfea\x00\n\x00", "\xfe\xff\x00a", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readLine("the password", strings.NewReader(text))
		if secret := got.Reveal(); err == nil && (secret == "" || strings.ContainsAny(secret, "\n\ufffd") || len(secret) > maxSecretLine) {
			t.Errorf("got %q", secret)
		}
	})
}
