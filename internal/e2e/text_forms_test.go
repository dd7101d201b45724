package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestNamesOfAnOlderBackupAreBroughtIntoNFC restores a backup that a program of schema version 4
// made. Two assistants have one name, in two forms. The password of zoe was set in NFD.
func TestNamesOfAnOlderBackupAreBroughtIntoNFC(t *testing.T) {
	m := newMachine(t, startVoiceflow(t)).with("FLOWLATCH_VOICEFLOW_API_URL", "")
	m.keepKeyset(t, "testdata/backup_v2_names_keyset.json")
	file, err := filepath.Abs("testdata/backup_v2_names.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	m.must("", "restore", file)
	const one, two = "01930000-0000-7000-8000-000000000001", "01930000-0000-7000-8000-000000000002"
	status := m.must("", "migrate", "status")
	for _, want := range []string{"2 assistants share their name", "Caf\u00e9 Gr\u00f6\u00dfe  " + one, "Caf\u00e9 Gr\u00f6\u00dfe  " + two} {
		if !strings.Contains(status, want) {
			t.Errorf("migrate status lacks %q:\n%s", want, status)
		}
	}
	s := m.start("serve")
	ada, ben := s.admin(), s.member()
	for _, form := range []string{"Caf\u00e9 Gr\u00f6\u00dfe", "Cafe\u0301 Gro\u0308\u00dfe"} {
		said := ada.post("/delete_project", body{"project_name": form})
		ada.want(said, "400 ambiguous_name")
		if text := said.text; !strings.Contains(text, one) || !strings.Contains(text, two) {
			t.Errorf("the response lacks the ids: %s", text)
		}
	}
	if granted := ben.want(ben.get("/get_projects"), "200").listed(t); len(granted) != 2 || granted[0].Name != "Caf\u00e9 Gr\u00f6\u00dfe" || granted[1].Name != "\u00dcber" {
		t.Errorf("the member sees %v", granted)
	}
	for _, form := range []string{"staple e\u030122 correct horse", "staple \u00e922 correct horse"} {
		newBrowser(t, s.url).login("zoe", form)
	}
}

// TestTextIsTheSameInEveryForm goes through the commands and the routes with a password and a
// name in two forms.
func TestTextIsTheSameInEveryForm(t *testing.T) {
	bot := newAssistant("Cafe\u0301")
	m := newMachine(t, startVoiceflow(t, bot))
	m.must("\xef\xbb\xbfgravel e\u0301toile 41\r\n", "user", "create", "--admin", "ada")
	m.must("\xff\xfeg\x00r\x00a\x00v\x00e\x00l\x00 \x00\xe9\x00t\x00o\x00i\x00l\x00e\x00\r\x00\n\x00", "user", "create", "ben")
	m.must("\xef\xbb\xbf"+bot.Key+"\r\n", "project", "add", bot.VersionID)
	m.must("", "user", "grant", "ben", "Caf\u00e9")
	s := m.start("serve")
	newBrowser(t, s.url).login("ada", "gravel \u00e9toile 41")
	newBrowser(t, s.url).login("ben", "gravel e\u0301toile")
	m.must("gravel \u00e9toile 42\n", "user", "passwd", "ben")
	newBrowser(t, s.url).login("ben", "gravel e\u0301toile 42")
	ada := newBrowser(t, s.url).login("ada", "gravel e\u0301toile 41")
	ada.want(ada.post("/delete_project", body{"project_name": "Cafe\u0301"}), "200")
}

// TestAListOfASpreadsheetIsImported imports what Excel saves as Unicode text, and as CSV where the
// comma is the decimal mark.
func TestAListOfASpreadsheetIsImported(t *testing.T) {
	pizza, trains, wrong := newAssistant("Gro\u0308\u00dfe; \"hot\""), newAssistant("Trains"), newAssistant("Wrong")
	m := newMachine(t, startVoiceflow(t, pizza, trains))
	m.must("", "migrate", "up")
	rows := "Version ID\tToken\tName\t\r\n" + pizza.VersionID + "\t" + pizza.Key + "\t\"Gr\u00f6\u00dfe; \"\"hot\"\"\"\t\r\n\t\t\t\r\n"
	m.report(exitOK, "", []string{"project", "import", "--csv", m.write("unicode.txt", inUTF16(rows))}, "added 1, there already 0, refused 0")
	rows = "\xef\xbb\xbfsep=;\r\nVersion_ID;TOKEN\r\n;\r\n" + trains.VersionID + ";" + trains.Key + ";\r\n;;\r\n" + wrong.VersionID + ";" + wrong.Key + "\r\n  ;\r\n"
	m.report(exitFailure, "", []string{"project", "import", "--csv", m.write("list.csv", rows)},
		"line 6 was refused: Voiceflow rejected", "added 1, there already 0, refused 1")
	m.noKeyIn(pizza.Key, trains.Key, wrong.Key)
}

// inUTF16 returns text in UTF-16 as Windows writes it.
func inUTF16(text string) string {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return string(out)
}
