package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// walk is what the demo prints: commands that show what the service does.
type walk struct {
	url        string // of the service
	folder     string // for the cookie jars
	admin      demoUser
	member     demoUser
	assistants []voiceflowtest.Assistant // three, which the stand-in has
}

// step is a command of the walk.
type step struct {
	does   string // what it does, and what is worth a look
	expect string // status and code
	as     demoUser
	method string
	path   string
	body   body // nil for none
}

// body is a request's parameters.
type body map[string]any

func (w walk) steps() []step {
	pizza, trains, shoes := w.assistants[0], w.assistants[1], w.assistants[2]
	const ok, refused, bad = "200", "401 not_allowed", "400"
	addPizza := body{"version_id": pizza.VersionID, "token": pizza.Key}
	return []step{
		{"Log in as the admin. The cookie goes into a file.", ok, w.admin, "POST", "/login", body{"username": w.admin.name, "password": w.admin.password}},
		{"Add an assistant with its Voiceflow key. The answer has no key, and no answer ever will.", ok, w.admin, "POST", "/add_project", addPizza},
		{"Add it again. It is there already.", bad + " already_added", w.admin, "POST", "/add_project", addPizza},
		{"Add another one with a wrong key. Voiceflow refuses it, and nothing is kept.", bad + " voiceflow_rejected", w.admin, "POST", "/add_project",
			body{"version_id": trains.VersionID, "token": voiceflowtest.NewKey()}},
		{"The same with the right key.", ok, w.admin, "POST", "/add_project", body{"version_id": trains.VersionID, "token": trains.Key}},
		{"The third by the name of an environment, which needs the Voiceflow project id beside it.", ok, w.admin, "POST", "/add_project",
			body{"version_id": shoes.Aliases[0], "voiceflow_project_id": shoes.ProjectID, "token": shoes.Key}},
		{"List what the admin may use, which is all three.", ok, w.admin, "GET", "/get_projects", nil},
		{"Set one, by its Id or, as here, by its Voiceflow project id.", ok, w.admin, "POST", "/set_project", body{"project_id": pizza.ProjectID}},
		{"See who is logged in and which assistant is set.", ok, w.admin, "GET", "/check_session", nil},
		{"Let the member use one assistant.", ok, w.admin, "POST", "/grant_project", body{"user_id": w.member.id, "project_id": pizza.ProjectID}},
		{"Log in as the member.", ok, w.member, "POST", "/login", body{"username": w.member.name, "password": w.member.password}},
		{"List what the member may use, which is that one.", ok, w.member, "GET", "/get_projects", nil},
		{"Set it.", ok, w.member, "POST", "/set_project", body{"project_id": pizza.ProjectID}},
		{"Set one that is not granted. The answer does not tell whether it exists.", refused, w.member, "POST", "/set_project", body{"project_id": trains.ProjectID}},
		{"Add one as the member. That takes an admin.", refused, w.member, "POST", "/add_project", addPizza},
		{"As the admin, delete the assistant that the member has set.", ok, w.admin, "POST", "/delete_project", body{"project_name": pizza.Name}},
		{"The member has no assistant set any more, at once.", ok, w.member, "GET", "/check_session", nil},
		{"And none to use.", "404 not_found", w.member, "GET", "/get_projects", nil},
		{"Log the admin out.", ok, w.admin, "POST", "/logout", nil},
		{"Nobody is logged in by that file any more.", "401 not_authenticated", w.admin, "GET", "/get_projects", nil},
	}
}

// text is all that the demo prints. A comment holds nothing that a shell minds, since
// not every shell takes it for one when it is pasted.
func (w walk) text() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "Flowlatch runs at %s with a made-up Voiceflow. Paste these into a second terminal, one after the other.\n", w.url)
	for i, s := range w.steps() {
		_, _ = fmt.Fprintf(&b, "\n# %d. %s Expect %s\n%s\n", i+1, s.does, s.expect, w.command(s))
	}
	_, _ = fmt.Fprintf(&b, "\nCtrl-C ends the demo. Everything it made is in %s and goes away with it.", w.folder)
	return b.String()
}

// command is the step as one line for a shell.
func (w walk) command(s step) string {
	jar := shellQuoted(filepath.Join(w.folder, s.as.name+".cookies"))
	words := []string{"curl", "-sS", "-w", `'\n%{http_code}\n'`, "-b", jar, "-c", jar}
	if strings.HasPrefix(w.url, "https:") {
		words = append(words, "-k")
	}
	if s.body != nil {
		text, _ := json.Marshal(s.body) // texts always marshal
		words = append(words, "-H", "'Content-Type: application/json'", "-d", shellQuoted(string(text)))
	} else if s.method != "GET" {
		words = append(words, "-X", s.method)
	}
	return strings.Join(append(words, w.url+s.path), " ")
}
