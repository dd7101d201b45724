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

	streams bool   // the answer is to be shown as it comes
	keep    string // the file that the answer is kept in, too
	by      string // the file with the member, "file member", that goes into Authorization in the place of cookies
}

// body is a request's parameters.
type body map[string]any

func (w walk) steps() []step {
	pizza, trains, shoes := w.assistants[0], w.assistants[1], w.assistants[2]
	const ok, refused, bad = "200", "401 not_allowed", "400"
	addPizza := body{"version_id": pizza.VersionID, "token": pizza.Key}
	at := func(does, expect string, as demoUser, method, path string, params body) step {
		return step{does: does, expect: expect, as: as, method: method, path: path, body: params}
	}
	says := func(text string) body {
		return body{"action": body{"type": "text", "payload": text}}
	}
	runtime, ofPizza := "/voiceflow/general-runtime", "/project/"+pizza.ProjectID
	turn := runtime + "/state/user/" + w.member.name + "/interact"
	stream := runtime + "/v2" + ofPizza + "/user/" + w.member.name + "/interact/stream"
	search := "/voiceflow/analytics-api/v1/transcript" + ofPizza
	return []step{
		at("Log in as the admin. The cookie goes into a file.", ok, w.admin, "POST", "/login", body{"username": w.admin.name, "password": w.admin.password}),
		at("Add an assistant with its Voiceflow key. The answer has no key, and no answer ever will.", ok, w.admin, "POST", "/add_project", addPizza),
		at("Add it again. It is there already.", bad+" already_added", w.admin, "POST", "/add_project", addPizza),
		at("Add another one with a wrong key. Voiceflow refuses it, and nothing is kept.", bad+" voiceflow_rejected", w.admin, "POST", "/add_project",
			body{"version_id": trains.VersionID, "token": voiceflowtest.NewKey()}),
		at("The same with the right key.", ok, w.admin, "POST", "/add_project", body{"version_id": trains.VersionID, "token": trains.Key}),
		at("The third by the name of an environment, which needs the Voiceflow project id beside it.", ok, w.admin, "POST", "/add_project",
			body{"version_id": shoes.Aliases[0], "voiceflow_project_id": shoes.ProjectID, "token": shoes.Key}),
		at("List what the admin may use, which is all three.", ok, w.admin, "GET", "/get_projects", nil),
		at("Set one, by its Id or, as here, by its Voiceflow project id.", ok, w.admin, "POST", "/set_project", body{"project_id": pizza.ProjectID}),
		at("See who is logged in and which assistant is set.", ok, w.admin, "GET", "/check_session", nil),
		at("Let the member use one assistant.", ok, w.admin, "POST", "/grant_project", body{"user_id": w.member.id, "project_id": pizza.ProjectID}),
		at("Log in as the member.", ok, w.member, "POST", "/login", body{"username": w.member.name, "password": w.member.password}),
		at("List what the member may use, which is that one.", ok, w.member, "GET", "/get_projects", nil),
		at("Set it.", ok, w.member, "POST", "/set_project", body{"project_id": pizza.ProjectID}),
		at("Talk to it, as a client of Voiceflow does. The key is put in on the way, and what comes back is the answer of Voiceflow.", ok, w.member, "POST", turn, says("one Margherita")),
		{does: "The same as a stream of events.", expect: ok, as: w.member, method: "POST", path: stream, body: says("and a salad"), streams: true},
		at("Read what others said. That takes a scope that is not granted.", "403 not_allowed", w.member, "POST", search, body{}),
		at("As the admin, grant that too.", ok, w.admin, "POST", "/grant_project",
			body{"user_id": w.member.id, "project_id": pizza.ProjectID, "scopes": []string{"converse", "transcripts"}}),
		at("Now the member may read the transcripts.", ok, w.member, "POST", search, body{}),
		{does: "Make an access token for a program. It is shown this once, and kept in a file here.", expect: ok, as: w.member, method: "POST", path: "/create_access_token",
			body: body{"name": "a program", "project_id": pizza.ProjectID}, keep: "token"},
		{does: "Talk with the access token, and without any cookie.", expect: ok, as: w.member, method: "POST", path: turn, body: says("hello from a program"), by: "token token"},
		{does: "Open a v4 session with it. The session key that comes back is one of Flowlatch.", expect: ok, as: w.member, method: "POST", path: runtime + "/v4" + ofPizza + "/session",
			body: body{"userID": w.member.name}, keep: "session", by: "token token"},
		{does: "Talk with that alone, as a stream.", expect: ok, as: w.member, method: "POST", path: runtime + "/v4/interact/stream", body: says("hello again"), by: "session sessionKey", streams: true},
		at("As the admin, give the assistant a second key, as one does before the first is revoked at Voiceflow. A key that opens nothing is refused.", "409 voiceflow_rejected", w.admin, "POST", "/set_token",
			body{"project_id": pizza.ProjectID, "token": voiceflowtest.NewKey(), "slot": "secondary"}),
		at("One that opens the assistant is kept beside the first.", ok, w.admin, "POST", "/set_token",
			body{"project_id": pizza.ProjectID, "token": pizza.SecondKey, "slot": "secondary"}),
		at("Try both keys now.", ok, w.admin, "POST", "/check_project", body{"project_id": pizza.ProjectID}),
		at("See who used which assistant how often.", ok, w.admin, "GET", "/get_usage", nil),
		at("Set one that is not granted. The answer does not tell whether it exists.", refused, w.member, "POST", "/set_project", body{"project_id": trains.ProjectID}),
		at("Add one as the member. That takes an admin.", refused, w.member, "POST", "/add_project", addPizza),
		at("As the admin, delete the assistant that the member has set.", ok, w.admin, "POST", "/delete_project", body{"project_name": pizza.Name}),
		at("The member has no assistant set any more, at once.", ok, w.member, "GET", "/check_session", nil),
		{does: "The access token opens nothing any more.", expect: "401 not_authenticated", as: w.member, method: "POST", path: turn, body: says("anybody there"), by: "token token"},
		at("And there is none to use.", "404 not_found", w.member, "GET", "/get_projects", nil),
		at("Log the admin out.", ok, w.admin, "POST", "/logout", nil),
		at("Nobody is logged in by that file any more.", "401 not_authenticated", w.admin, "GET", "/get_projects", nil),
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
	words := []string{"curl", "-sS", "-w", `'\n%{http_code}\n'`}
	if file, member, found := strings.Cut(s.by, " "); found {
		// What a shell puts in is quoted, and sed reads what this program wrote.
		words = append(words, "-H", `"Authorization: $(sed -n 's/.*"`+member+`":"\([^"]*\)".*/\1/p' `+shellQuoted(filepath.Join(w.folder, file))+`)"`)
	} else {
		jar := shellQuoted(filepath.Join(w.folder, s.as.name+".cookies"))
		words = append(words, "-b", jar, "-c", jar)
	}
	if s.streams {
		words = append(words, "-N", "-H", "'Accept: text/event-stream'")
	}
	if strings.HasPrefix(w.url, "https:") {
		words = append(words, "-k")
	}
	if s.body != nil {
		text, _ := json.Marshal(s.body) // texts always marshal
		words = append(words, "-H", "'Content-Type: application/json'", "-d", shellQuoted(string(text)))
	} else if s.method != "GET" {
		words = append(words, "-X", s.method)
	}
	words = append(words, w.url+s.path)
	if s.keep != "" {
		words = append(words, "| tee", shellQuoted(filepath.Join(w.folder, s.keep)))
	}
	return strings.Join(words, " ")
}
