package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// TestAssistants takes an assistant from the form that adds it to its end.
func TestAssistants(t *testing.T) {
	t.Parallel()
	w := newFlows(t)
	w.bothWays(func(w *world, s Settings, tag string) {
		a := voiceflowtest.NewProject("Trains "+tag, "main")
		a.SecondKey = voiceflowtest.NewKey()
		if err := w.voiceflow.Add(a); err != nil {
			w.t.Fatal(err)
		}
		ben := "ben-" + tag
		w.program().create(ben)
		tab := w.ada(s)
		tab.Follow("Assistants")
		tab.Follow("Add an assistant")

		fillAssistant(tab, a)
		tab.Fill("token", voiceflowtest.NewKey())
		tab.Submit("Add the assistant")
		wantRefused(tab, http.StatusConflict, "Voiceflow")
		wantValue(tab, "version_id", "main")
		wantValue(tab, "voiceflow_project_id", a.ProjectID)
		wantValue(tab, "token", "")
		tab.Check("main", "navigation")
		tab.Fill("token", a.Key)
		tab.Submit("Add the assistant")
		wantNotice(tab, a.Name+" was added.")
		own := tab.URL()

		tab.Open("/console/assistants/new")
		fillAssistant(tab, a)
		tab.Submit("Add the assistant")
		wantRefused(tab, http.StatusConflict, "It is here already")
		tab.Follow(a.Name)
		tab.WaitURL(own)

		tab.Submit("Check the keys now")
		wantNotice(tab, "Voiceflow accepted the primary key.")
		tab.Fill("Key for the secondary slot", voiceflowtest.NewKey())
		tab.Submit("Set the secondary key")
		wantRefused(tab, http.StatusConflict, "Voiceflow")
		wantValue(tab, "Key for the secondary slot", "")
		tab.Fill("Key for the secondary slot", a.SecondKey)
		tab.Submit("Set the secondary key")
		wantNotice(tab, "Voiceflow accepted the secondary key. It is stored.")
		tab.Follow("Delete the secondary key")
		tab.Follow("Keep it")
		tab.WaitURL(own)
		tab.Follow("Delete the secondary key")
		tab.Submit("Delete the secondary key")
		wantNotice(tab, "The secondary key is deleted here.")

		environments(tab)
		origins(tab)
		grants(tab, ben)

		tab.Open("/console/assistants")
		tab.Fill("q", "rains "+tag)
		tab.Submit("Search")
		tab.WaitText(a.Name)
		tab.Fill("q", "no such thing")
		tab.Submit("Search")
		tab.WaitText("No assistant matches.")
		tab.Follow("Show all assistants")
		tab.Follow(a.Name)

		tab.Fill("project_name", "Trains")
		tab.Submit("Delete the assistant")
		wantRefused(tab, http.StatusBadRequest, "you typed another name")
		wantValue(tab, "project_name", "Trains")
		tab.Fill("project_name", a.Name)
		tab.Submit("Delete the assistant")
		tab.WaitURL("/console/assistants")
		wantNotice(tab, a.Name+" is deleted here.")
		tab.Open(own)
		wantRefused(tab, http.StatusNotFound, "Not found")
		tab.Check("main", "navigation")
	})
}

// environments changes the environments of the assistant whose page the tab shows.
func environments(tab *Tab) {
	tab.t.Helper()
	tab.Fill("allowed", "main, a b")
	tab.Fill("default", "")
	tab.Fill("default", "none such")
	tab.Submit("Save the environments")
	wantRefused(tab, http.StatusBadRequest, "environment")
	wantValue(tab, "default", "none such")
	tab.Fill("default", "main")
	tab.Fill("allowed", "all")
	tab.Submit("Save the environments")
	wantNotice(tab, "Calls can use these environments from now on.")
	wantValue(tab, "allowed", "all")
}

// origins changes the origins of pictures.
func origins(tab *Tab) {
	tab.t.Helper()
	tab.Fill("origins", "https://*.example.com")
	tab.Submit("Save the origins")
	wantRefused(tab, http.StatusBadRequest, "origin")
	wantValue(tab, "origins", "https://*.example.com")
	tab.Fill("origins", "https://cdn.example.com https://pictures.example.com")
	tab.Submit("Save the origins")
	wantNotice(tab, "The chat page shows pictures")
	if got := strings.Fields(tab.Value("origins")); len(got) != 2 {
		tab.t.Errorf("the origins are %q", got)
	}
}

// grants grants the assistant to a user, changes the scopes, and revokes the grant.
func grants(tab *Tab, user string) {
	tab.t.Helper()
	tab.Fill("user_id", "nobody.of.that.name")
	tab.Submit("Grant the assistant")
	if tab.Status() < 400 {
		tab.t.Error("an unknown user can be granted an assistant")
	}
	wantValue(tab, "user_id", "nobody.of.that.name")
	tab.Fill("user_id", user)
	tab.Submit("Grant the assistant")
	wantNotice(tab, "is granted to "+user)
	tab.Fill("user_id", user)
	tab.Click("analytics")
	tab.Submit("Grant the assistant")
	tab.WaitText("converse, analytics")
	tab.Submit("Revoke " + user)
	wantNotice(tab, "The grant is revoked.")
	tab.WaitText("No member may use it yet.")
}
