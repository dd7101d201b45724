package browser

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// pictureFolder is the variable that names the folder for TestPictures.
const pictureFolder = "FLOWLATCH_PICTURES"

// TestPictures takes the pictures of the README, for `make pictures`.
func TestPictures(t *testing.T) {
	folder := os.Getenv(pictureFolder)
	if folder == "" {
		t.Skip(pictureFolder + " names no folder for the pictures")
	}
	talker := voiceflowtest.NewProject("Pizza Palace", "main")
	talker.Dialog = true
	all := []voiceflowtest.Assistant{
		talker, voiceflowtest.NewAssistant("Train times", voiceflowtest.Shape2024), voiceflowtest.NewAssistant("Opening hours", voiceflowtest.Shape2026),
	}
	w := newWorld(t, all).withUsers()
	for _, a := range all[1:] {
		w.run(a.Key+"\n", "project", "add", a.VersionID)
	}
	w.run(talker.Key+"\n", "project", "add", "main", "--voiceflow-project", talker.ProjectID)
	w.run("", "user", "grant", "ben", talker.Name)
	w.makeMonth()

	ada := w.ada(Settings{Height: 1000})
	ada.WaitText("Train times")
	takePicture(t, ada, filepath.Join(folder, "console.png"))

	ben := w.ben(Settings{Width: 1024, Height: 1000})
	ben.Open("/chat")
	ben.Follow(talker.Name)
	ben.WaitText("Hi from Pizza Palace")
	ben.Fill("message", "menu")
	ben.Press("Enter")
	ben.WaitText("Here is our menu")
	takePicture(t, ben, filepath.Join(folder, "chat.png"))
}

// takePicture takes a picture of the window, which must have less than 200 kB.
func takePicture(t *testing.T, tab *Tab, file string) {
	t.Helper()
	tab.Screenshot(file, false)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= 200_000 {
		t.Errorf("%s has %d bytes, want less than 200,000", file, info.Size())
	}
}

// makeMonth stores what a month leaves in the database: calls on each day, and a key that Voiceflow
// rejected.
func (w *world) makeMonth() {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.folder, "flowlatch-data", "flowlatch.db")+"?_pragma=busy_timeout(20000)&_txlock=immediate")
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for i := range 30 {
		day := time.Now().UTC().AddDate(0, 0, -i)
		calls := 260 + 37*(i%5) + 61*(i%3)
		if weekday := day.Weekday(); weekday == time.Saturday || weekday == time.Sunday {
			calls /= 4
		}
		_, err := db.Exec(`INSERT INTO usage (day, project_id, user_id, token_id, scope, calls, errors, milliseconds)
			SELECT ?, p.id, u.id, '', 'converse', ?, ?, ? FROM projects p, users u WHERE p.name = 'Pizza Palace' AND u.name = 'ben'`,
			day.Format(time.DateOnly), calls, i%4, calls*420)
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := db.Exec(`UPDATE projects SET key_status = 'rejected' WHERE name = 'Train times'`); err != nil {
		w.t.Fatal(err)
	}
}
