package importlist

import (
	"strings"
	"testing"
	"unicode/utf16"
)

// inUTF16 returns text in UTF-16 after its byte order mark.
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

// spreadsheets are lists as spreadsheets write them.
var spreadsheets = []struct {
	name, text string
	want       []string
}{
	{"semicolons, as Excel writes where the comma is the decimal mark", "version_id;token;name\r\nv;k;\"N;, x\"\r\n", []string{"line 2|v|k|N;, x|"}},
	{"tabs", "version_id\ttoken\tname\nv\tk\tN, 1; 2\n", []string{"line 2|v|k|N, 1; 2|"}},
	{"a line sep= with a comma", "sep=,\r\nversion_id,token\r\nv,k\r\n", []string{"line 3|v|k||"}},
	{"a line sep= with a semicolon", "sep=;\nversion_id;token\nv;k\n", []string{"line 3|v|k||"}},
	{"a line sep= with a tab", "sep=\t\nversion_id\ttoken\nv\tk\n", []string{"line 3|v|k||"}},
	{"a line sep= with a bar", "sep=|\nversion_id|token\nv|k\n", []string{"line 3|v|k||"}},
	{"a line SEP= in quotes after a mark", "\xef\xbb\xbf\"SEP=;\"\nversion_id;token\nv;k\n", []string{"line 3|v|k||"}},
	{"a line sep= that was saved as a row", "sep=;;;\nversion_id;token;name\nv;k;\n", []string{"line 3|v|k||"}},
	{"a line sep= that is wrong", "sep=;\nversion_id,token\n", []string{"ends: the file should begin"}},
	{"a line sep= with a letter", "sep=x\nversion_id,token\n", []string{"ends: the file should begin"}},
	{"a line sep= later on", "version_id,token\nsep=,\nv,k\n", []string{"line 2|sep=|||", "line 3|v|k||"}},
	{"little-endian UTF-16, as Excel's Unicode text", inUTF16("version_id\ttoken\tname\r\nv\tk\tGr\u00f6\u00dfe \U0001f511\r\n", false), []string{"line 2|v|k|Gr\u00f6\u00dfe \U0001f511|"}},
	{"big-endian UTF-16", inUTF16("version_id,token\nv,k\n", true), []string{"line 2|v|k||"}},
	{"a mark of UTF-8", "\xef\xbb\xbfversion_id,token\nv,k", []string{"line 2|v|k||"}},
	{"two marks", "\xef\xbb\xbf\xef\xbb\xbfversion_id,token\nv,k", []string{"line 2|v|k||"}},
	{"names in another case", "Version_ID,TOKEN,Name,VoiceFlow_Project_Id\nv,k,N,p\n", []string{"line 2|v|k|N|p"}},
	{"names with spaces", " Version ID , token,voiceflow project id\nv,k,p\n", []string{"line 2|v|k||p"}},
	{"names with hyphens", "version-id,token,voiceflow-project-id\nv,k,p\n", []string{"line 2|v|k||p"}},
	{"names without anything between", "versionID;token;voiceflowProjectId\nv;k;p\n", []string{"line 2|v|k||p"}},
	{"names with no-break spaces", "version\u00a0id\u00a0,token\nv,k\n", []string{"line 2|v|k||"}},
	{"names in quotes", "\"version_id\",\"token\"\n\"v\",\"k\"\n", []string{"line 2|v|k||"}},
	{"one name in two spellings", "version_id,token,Version-ID\n", []string{"ends: the file should begin"}},
	{"empty rows", "version_id,token,name\n,,\nv,k,N\n  , ,\t\n\u00a0,,\n\"\",\"\",\"\"\n\n   \n,,,,,,\nw,l,M\n", []string{"line 3|v|k|N|", "line 10|w|l|M|"}},
	{"empty rows with semicolons", "version_id;token\n;\nv;k\n;;;\n", []string{"line 3|v|k||"}},
	{"empty rows before the names", "\n  \nversion_id,token\nv,k\n", []string{"line 4|v|k||"}},
	{"separators at the ends of lines", "version_id,token,,\nv,k,,\nw,l\nx,m,,,,\ny,n,,N\n", []string{"line 2|v|k||", "line 3|w|l||", "line 4|x|m||", "line 5: it has 4 values, and there are 2 columns"}},
	{"optional cells that are missing", "version_id,token,name,voiceflow_project_id\nv,k\nw,l,M\nx\n", []string{"line 2|v|k||", "line 3|w|l|M|", "line 4: it has 1 values"}},
	{"a row without a key", "version_id,token,name\nv,,N\n,k,\n", []string{"line 2|v||N|", "line 3||k||"}},
	{"lines that end with CR", "version_id,token\rv,k\r\rw,l\r", []string{"line 2|v|k||", "line 4|w|l||"}},
	{"lines that end in several ways", "version_id,token\r\nv,k\nw,l\rx,m", []string{"line 2|v|k||", "line 3|w|l||", "line 4|x|m||"}},
	{"a line that is too long, with CR", "version_id,token\rv," + strings.Repeat("x", 3*maxLine) + "\rw,l\r", []string{"line 2: it is longer than", "line 3|w|l||"}},
	{"an apostrophe is a part of the cell", "version_id,token\n'v,k\n", []string{"line 2|'v|k||"}},
	{"no-break spaces around cells stay for the checks of the values", "version_id,token\n\u00a0v,k\u00a0\n", []string{"line 2|\u00a0v|k\u00a0||"}},
	{"Latin-1", "version_id;token;name\nv;k;Gr\xf6\xdfe\nw;l;\n", []string{"line 2: it is not UTF-8", "line 3|w|l||"}},
	{"nothing after the line sep=", "sep=;\n", []string{"ends: the file is empty"}},
	{"a mark and nothing else", "\xff\xfe", []string{"ends: the file is empty"}},
}

func TestListsOfSpreadsheets(t *testing.T) {
	for _, tc := range spreadsheets {
		t.Run(tc.name, func(t *testing.T) { wantEntries(t, ReadCSV, tc.text, tc.want...) })
	}
}

func TestJSONInUTF16(t *testing.T) {
	const list = `[{"version_id":"v","token":"k","name":"Größe"}]`
	for name, text := range map[string]string{
		"little-endian": inUTF16(list, false), "big-endian": inUTF16(list, true), "a mark of UTF-8": "\xef\xbb\xbf" + list,
	} {
		t.Run(name, func(t *testing.T) { wantEntries(t, ReadJSON, text, "line 1 (element 1)|v|k|Größe|") })
	}
}
