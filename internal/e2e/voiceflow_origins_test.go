package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeysGoToARecordedAddressOnly changes the addresses of Voiceflow's services one by one, on both
// databases.
func TestKeysGoToARecordedAddressOnly(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		bot, late := newAssistant("Bot"), newAssistant("Late")
		v := startVoiceflow(t, bot, late)
		m := newMachine(t, v)
		if database != "" {
			m = m.with("FLOWLATCH_DATABASE_URL", database)
		}
		m.must(adminPassword, "user", "create", "--admin", "ada")
		m.must(bot.Key, "project", "add", bot.VersionID)
		for service, variable := range map[string]string{
			"general-runtime": "FLOWLATCH_VOICEFLOW_RUNTIME_URL", "analytics-api": "FLOWLATCH_VOICEFLOW_ANALYTICS_URL", "realtime-api": "FLOWLATCH_VOICEFLOW_REALTIME_URL",
		} {
			thief := startVoiceflow(t, bot, late)
			moved := m.with(variable, thief.URL())
			for _, command := range [][]string{{"serve"}, {"project", "add", late.VersionID}, {"project", "check", "Bot"}, {"project", "import", "--csv", "-"}, {"project", "set-token", "Bot"}} {
				moved.fails(exitFailure, service+" at "+v.URL()+", and this service is set to send them to "+thief.URL(), late.Key, command...)
			}
			if n := thief.Received(); n != 0 {
				t.Errorf("%s: %d requests came to an address that nobody confirmed", service, n)
			}
			said := moved.must("", "voiceflow", "origins")
			if line := lineOf(said, service); !strings.Contains(line, v.URL()) || !strings.Contains(line, thief.URL()) || !strings.Contains(line, "differs") {
				t.Errorf("voiceflow origins says\n%s", said)
			}
			if strings.Count(said, " same") != 3 {
				t.Errorf("voiceflow origins says that others differ:\n%s", said)
			}
			if got, want := moved.must("", "voiceflow", "origins", "--confirm"), "keys may now be sent to "+service+" at "+thief.URL()+"; restart"; !strings.HasPrefix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			moved.must("", "project", "check", "Bot")
			m.fails(exitFailure, service+" at "+thief.URL(), "", "project", "check", "Bot")
			m.must("", "voiceflow", "origins", "--confirm") // back again
		}
		if said := m.must("", "voiceflow", "origins", "--confirm"); !strings.Contains(said, "nothing was changed") {
			t.Errorf("got %q, want no change", said)
		}
		if said := m.must("", "audit", "export", "-"); strings.Count(said, `"confirm_origins"`) != 6 {
			t.Errorf("the audit has %d confirmations, want 6", strings.Count(said, `"confirm_origins"`))
		}
		elsewhere := m.with("FLOWLATCH_VOICEFLOW_API_URL", startVoiceflow(t).URL())
		elsewhere.fails(exitFailure, "add the assistants with their keys to a new database", "", "serve")
		elsewhere.fails(exitFailure, "add the assistants with their keys to a new database", "", "voiceflow", "origins", "--confirm")
		if said := elsewhere.must("", "voiceflow", "origins"); !strings.Contains(lineOf(said, "api "), "differs") {
			t.Errorf("voiceflow origins says\n%s", said)
		}
		m.noKeyIn(bot.Key, late.Key)
	})
}

// lineOf returns the line of text that begins with the word.
func lineOf(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, word) {
			return line
		}
	}
	return ""
}

func TestABackupHasTheAddressesOfVoiceflow(t *testing.T) {
	v := startVoiceflow(t)
	m := newMachine(t, v)
	m.must(adminPassword, "user", "create", "--admin", "ada")
	file := m.backup("kept.jsonl")
	there := m.elsewhere("")
	there.with("FLOWLATCH_VOICEFLOW_RUNTIME_URL", "https://runtime.example").
		fails(exitFailure, "the keys in this backup are sent to Voiceflow's general-runtime at "+v.URL(), "", "restore", file)
	there.must("", "restore", file)
	there.with("FLOWLATCH_VOICEFLOW_RUNTIME_URL", "https://runtime.example").fails(exitFailure, "general-runtime at "+v.URL(), "", "serve")
	there.must("", "user", "list")
}

// TestTheAddressesOfAnOlderBackupAreRecordedAtTheNextStart restores a backup of a program that
// recorded only the address of api.
func TestTheAddressesOfAnOlderBackupAreRecordedAtTheNextStart(t *testing.T) {
	v := startVoiceflow(t)
	m := newMachine(t, v).with("FLOWLATCH_VOICEFLOW_API_URL", "")
	m.fails(exitFailure, "there is no data folder", "", "voiceflow", "origins")
	m.keepKeyset(t, "testdata/backup_v2_names_keyset.json")
	file, err := filepath.Abs("testdata/backup_v2_names.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	m.must("", "restore", file)
	if said := m.must("", "voiceflow", "origins"); strings.Count(said, "not yet") != 3 {
		t.Errorf("after a restore, voiceflow origins says\n%s", said)
	}
	m.must("", "user", "list")
	if said := m.must("", "voiceflow", "origins"); strings.Count(said, " same") != 4 || strings.Count(said, v.URL()) != 6 {
		t.Errorf("after a start, voiceflow origins says\n%s", said)
	}
}

// TestANewDatabaseHasNoOriginsYet asks for the origins before the first start.
func TestANewDatabaseHasNoOriginsYet(t *testing.T) {
	m := newMachine(t, startVoiceflow(t))
	if err := os.Mkdir(m.data(), 0o700); err != nil {
		t.Fatal(err)
	}
	m.fails(exitFailure, "the schema of the database is not up to date; run 'flowlatch migrate up' or start the service", "", "voiceflow", "origins")
	m.must("", "migrate", "up")
	m.fails(exitFailure, "the database is not prepared yet; start the service once", "", "voiceflow", "origins")
}
