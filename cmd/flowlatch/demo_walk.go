package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// walk is the list of commands that the demo prints.
type walk struct {
	url        string // of the service
	console    string // the URL of the console, "" if there is none
	folder     string // for the cookie jars
	admin      demoUser
	member     demoUser
	assistants []voiceflowtest.Assistant // the three assistants of the stand-in
}

// step is a command of the walk.
type step struct {
	does   string // what it shows
	expect string // status and code
	as     demoUser
	method string
	path   string
	body   body // nil for none

	streams bool   // curl shows the answer as it comes
	keep    string // the file that also gets the answer
	by      string // "file member": the member of the JSON in the file that goes into Authorization, instead of cookies
}

// body is a request's parameters.
type body map[string]any

func (w walk) steps() []step {
	pizza, trains, shoes := w.assistants[0], w.assistants[1], w.assistants[2]
	const ok, refused, bad = "200", "401 not_allowed", "400"
	addPizza := body{"version_id": "main", "voiceflow_project_id": pizza.ProjectID, "token": pizza.Key, "environments": body{"default": "main", "allowed": "all"}}
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
		at("Add an assistant by the alias of its main environment, with its Voiceflow key. No answer ever contains the key.", ok, w.admin, "POST", "/add_project", addPizza),
		at("Add it again. It was added already.", bad+" already_added", w.admin, "POST", "/add_project", addPizza),
		at("Add another one with a wrong key. Voiceflow rejects the key, and nothing is stored.", bad+" voiceflow_rejected", w.admin, "POST", "/add_project",
			body{"version_id": trains.VersionID, "token": voiceflowtest.NewKey()}),
		at("Add it with the right key. Without environments it is pinned to its version.", ok, w.admin, "POST", "/add_project", body{"version_id": trains.VersionID, "token": trains.Key}),
		at("Add the third by the alias of an environment. An alias needs the Voiceflow project id.", ok, w.admin, "POST", "/add_project",
			body{"version_id": shoes.Aliases[0], "voiceflow_project_id": shoes.ProjectID, "token": shoes.Key}),
		at("List what the admin may use, which is all three.", ok, w.admin, "GET", "/get_projects", nil),
		at("Set one, by its Id or, as here, by its Voiceflow project id.", ok, w.admin, "POST", "/set_project", body{"project_id": pizza.ProjectID}),
		at("See who is logged in and which assistant is set.", ok, w.admin, "GET", "/check_session", nil),
		at("Let the member use one assistant.", ok, w.admin, "POST", "/grant_project", body{"user_id": w.member.id, "project_id": pizza.ProjectID}),
		at("Log in as the member.", ok, w.member, "POST", "/login", body{"username": w.member.name, "password": w.member.password}),
		at("List what the member may use, which is that one.", ok, w.member, "GET", "/get_projects", nil),
		at("Set it.", ok, w.member, "POST", "/set_project", body{"project_id": pizza.ProjectID}),
		at("Talk to it, as a client of Voiceflow does. Flowlatch adds the key and returns the answer of Voiceflow.", ok, w.member, "POST", turn, says("one Margherita")),
		{does: "Talk to it and get the answer as a stream of events.", expect: ok, as: w.member, method: "POST", path: stream, body: says("and a salad"), streams: true},
		at("Read the transcripts. The grant does not have that scope.", "403 not_allowed", w.member, "POST", search, body{}),
		at("As the admin, grant that scope too.", ok, w.admin, "POST", "/grant_project",
			body{"user_id": w.member.id, "project_id": pizza.ProjectID, "scopes": []string{"converse", "transcripts"}}),
		at("Now the member may read the transcripts.", ok, w.member, "POST", search, body{}),
		{does: "Create an access token for a program. This takes the password again. The token is shown once, and this command keeps it in a file.", expect: ok, as: w.member, method: "POST", path: "/create_access_token",
			body: body{"name": "a program", "project_id": pizza.ProjectID, "password": w.member.password}, keep: "token"},
		{does: "Talk with the access token, without a cookie.", expect: ok, as: w.member, method: "POST", path: turn, body: says("hello from a program"), by: "token token"},
		{does: "Start a v4 session with it. The session key in the answer is a handle of Flowlatch.", expect: ok, as: w.member, method: "POST", path: runtime + "/v4" + ofPizza + "/session",
			body: body{"userID": w.member.name}, keep: "session", by: "token token"},
		{does: "Talk with the handle alone, as a stream.", expect: ok, as: w.member, method: "POST", path: runtime + "/v4/interact/stream", body: says("hello again"), by: "session sessionKey", streams: true},
		at("As the admin, set the secondary key, as one does before revoking the primary key at Voiceflow. Voiceflow rejects this wrong key.", "409 voiceflow_rejected", w.admin, "POST", "/set_token",
			body{"project_id": pizza.ProjectID, "token": voiceflowtest.NewKey(), "slot": "secondary"}),
		at("Set the secondary key with the right key.", ok, w.admin, "POST", "/set_token",
			body{"project_id": pizza.ProjectID, "token": pizza.SecondKey, "slot": "secondary"}),
		at("Check both keys now.", ok, w.admin, "POST", "/check_project", body{"project_id": pizza.ProjectID}),
		at("See who used which assistant how often.", ok, w.admin, "GET", "/get_usage", nil),
		at("Set one that is not granted. The answer does not tell whether it exists.", refused, w.member, "POST", "/set_project", body{"project_id": trains.ProjectID}),
		at("Add one as the member. Only an admin may.", refused, w.member, "POST", "/add_project", addPizza),
		at("As the admin, delete the assistant that the member has set.", ok, w.admin, "POST", "/delete_project", body{"project_name": pizza.Name}),
		at("The member no longer has an assistant set.", ok, w.member, "GET", "/check_session", nil),
		{does: "The access token no longer works.", expect: "401 not_authenticated", as: w.member, method: "POST", path: turn, body: says("anybody there"), by: "token token"},
		at("The member has no assistant to use.", "404 not_found", w.member, "GET", "/get_projects", nil),
		at("Log the admin out.", ok, w.admin, "POST", "/logout", nil),
		at("The cookies in that file are no longer valid.", "401 not_authenticated", w.admin, "GET", "/get_projects", nil),
	}
}

// text returns everything that the demo prints. Its comments have no special characters of a
// shell, because some shells do not accept pasted comments.
func (w walk) text() string {
	var b strings.Builder
	b.WriteString("Flowlatch runs with a stand-in for Voiceflow. ")
	if w.console != "" {
		b.WriteString(w.consoleText() + "\nOr paste")
	} else {
		b.WriteString("Paste")
	}
	b.WriteString(" these into a second terminal, one after the other. They expect that no assistant was added yet.\n")
	for i, s := range w.steps() {
		_, _ = fmt.Fprintf(&b, "\n# %d. %s Expect %s\n%s\n", i+1, s.does, s.expect, w.command(s))
	}
	_, _ = fmt.Fprintf(&b, "\nCtrl-C ends the demo and deletes its data in %s.", w.folder)
	return b.String()
}

// consoleText returns what somebody needs who opens the console first: the logins, and an assistant
// to add. The passwords and the Voiceflow key are no secrets, because they end with the demo.
func (w walk) consoleText() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "Open the console in a browser:\n\n  %s\n\n", w.console)
	pizza := w.assistants[0]
	lines := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range [][]string{
		{"admin", w.admin.name, w.admin.password}, {"member", w.member.name, w.member.password},
		{}, {"assistant", pizza.Name}, {"version id", pizza.VersionID}, {"Voiceflow key", pizza.Key},
	} {
		_, _ = fmt.Fprintln(lines, strings.TrimRight("  "+strings.Join(row, "\t"), " "))
	}
	_ = lines.Flush() // a strings.Builder never fails
	_, _ = fmt.Fprintf(&b, "\nLog in as %s, add the assistant, and grant it to %s. Then log in as %[2]s in a private window and talk to it.\n",
		w.admin.name, w.member.name)
	return b.String()
}

// command returns the step as one line for a shell.
func (w walk) command(s step) string {
	words := []string{"curl", "-sS", "-w", `'\n%{http_code}\n'`}
	if file, member, found := strings.Cut(s.by, " "); found {
		// The shell quotes the result of sed. sed reads a file that an earlier command wrote.
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
