// Package lostright lists requests that change something, and ways in which their caller
// loses the right to them. Hold keeps the last byte of a request back, so that a test can take
// the right away in the middle of the request.
package lostright

import (
	"encoding/json"
	"slices"
	"strings"
)

// Caller is how eve calls. Eve is the user who loses a right.
type Caller string

// The ways in which eve calls.
const (
	Admin   Caller = "an admin"
	Member  Caller = "a member"
	Manager Caller = "an access token that manages"
)

// Takes is what a request takes of its caller, besides that the caller exists.
type Takes int

// What a request takes.
const (
	NothingMore Takes = iota
	TheRole           // of an admin
	AGrant            // on the project, or the role
)

// Objects are the ids and texts that bodies name. Every object exists before the request.
type Objects struct {
	Eve     string // the user who calls
	Login   string // the login by which eve calls
	Second  string // a second login of eve
	Token   string // an access token of eve
	Manager string // the access token by which eve calls as Manager

	Other       string // another user, a member
	OthersLogin string // a login of the other user
	OthersToken string // an access token of the other user

	// Project has a personal key. It is granted to the other user with the scope converse. If eve is a member, it
	// is granted to her with the scopes converse and analytics.
	Project   string
	SecondKey string // a second Voiceflow key of Project

	Version string // a version at Voiceflow of an assistant that was not added
	Key     string // its Voiceflow key

	Password    string // of eve
	NewPassword string // for eve
	Planted     string // the name of a user who does not exist, whom eve creates

	Linked string // another user, a member, who is linked to an identity
	Rule   string // a rule of a group, for Project

	Webhook string // the URL of a webhook, whose host does not exist
}

// Change is a request that changes something.
type Change struct {
	Route string // method and path
	What  string // tells changes by one route apart
	By    []Caller
	Takes Takes
	Body  func(Objects) map[string]any

	// hidden says that the object does not exist for who is no admin.
	hidden bool
}

// Name returns the route, and what tells the change apart.
func (c Change) Name() string { return strings.TrimSpace(c.Route + " " + c.What) }

// Method returns the method of the route.
func (c Change) Method() string { return strings.Split(c.Route, " ")[0] }

// Path returns the path of the route.
func (c Change) Path() string { return strings.Split(c.Route, " ")[1] }

// Text returns the body as JSON.
func (c Change) Text(o Objects) string { return text(c.Body(o)) }

func text(members map[string]any) string {
	b, err := json.Marshal(members)
	if err != nil {
		panic(err) // the tables hold texts, numbers and lists of texts
	}
	return string(b)
}

var (
	admins = []Caller{Admin, Manager}
	logins = []Caller{Admin, Member}
)

// Changes returns every request that reads a body and changes something. Done in this order
// by one caller, all of them succeed.
func Changes() []Change {
	return slices.Concat(makings(), identityChanges(), tokenChanges(), removals())
}

// makings are the changes that add something, or change an assistant.
func makings() []Change {
	return []Change{
		{Route: "POST /add_project", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"version_id": o.Version, "token": o.Key}
		}},
		{Route: "POST /set_project", By: logins, Takes: AGrant, Body: project},
		{Route: "POST /grant_project", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Other, "project_id": o.Project, "scopes": []string{"export"}}
		}},
		{Route: "POST /set_token", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"project_id": o.Project, "token": o.SecondKey, "slot": "secondary"}
		}},
		{Route: "POST /set_environments", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"project_id": o.Project, "environments": map[string]any{"default": "main", "allowed": "all"}}
		}},
		{Route: "POST /set_picture_origins", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"project_id": o.Project, "origins": []string{"https://cdn.example.com"}}
		}},
		{Route: "POST /delete_token", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"project_id": o.Project, "slot": "personal"}
		}},
		{Route: "POST /set_webhook", What: "for another URL", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"url": "https://" + o.Planted + ".invalid/", "events": []string{"key.rejected", "admin.made"}}
		}},
		{Route: "POST /test_webhook", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"url": o.Webhook}
		}},
		{Route: "POST /set_webhook", What: "that deletes it", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"url": o.Webhook, "events": []string{}}
		}},
		{Route: "POST /check_project", By: admins, Takes: TheRole, Body: project},
		{Route: "POST /create_user", What: "another admin", By: []Caller{Admin}, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"username": o.Planted, "password": o.Password, "role": "admin"}
		}},
		{Route: "POST /create_user", What: "a member with a grant", By: []Caller{Manager}, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"username": o.Planted, "password": o.Password, "assistants": []string{o.Project}}
		}},
	}
}

// identityChanges are the changes of identities, which need an identity provider, and of rules of groups.
func identityChanges() []Change {
	return []Change{
		{Route: "POST /link_identity", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Other, "subject": "subject-for-" + o.Planted}
		}},
		{Route: "POST /unlink_identity", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Linked}
		}},
		{Route: "POST /set_group_rule", What: "that grants", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"group": "group of " + o.Planted, "project_id": o.Project, "scopes": []string{"converse", "export"}}
		}},
		{Route: "POST /set_group_rule", What: "that makes admins", By: []Caller{Admin}, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"group": "group of " + o.Planted, "role": "admin"}
		}},
		{Route: "POST /delete_group_rule", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"rule_id": o.Rule}
		}},
	}
}

// tokenChanges are the changes of access tokens.
func tokenChanges() []Change {
	return []Change{
		{Route: "POST /create_access_token", What: "for an assistant", By: logins, Takes: AGrant, Body: func(o Objects) map[string]any {
			return map[string]any{"name": "x", "project_id": o.Project, "scopes": []string{"converse", "analytics"}, "expires_in_days": 365, "password": o.Password}
		}},
		{Route: "POST /create_access_token", What: "with user ids of its own", By: []Caller{Admin}, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"name": "x", "project_id": o.Project, "user_ids": "own", "rate": 600, "password": o.Password}
		}},
		{Route: "POST /create_access_token", What: "that manages", By: []Caller{Admin}, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"name": "x", "scopes": []string{"manage"}, "password": o.Password}
		}},
		{Route: "POST /rotate_access_token", What: "one's own", By: logins, Takes: AGrant, Body: func(o Objects) map[string]any {
			return map[string]any{"token_id": o.Token, "password": o.Password}
		}},
		{Route: "POST /rotate_access_token", What: "another's", By: []Caller{Admin}, Takes: TheRole, hidden: true, Body: func(o Objects) map[string]any {
			return map[string]any{"token_id": o.OthersToken, "overlap_hours": 0, "password": o.Password}
		}},
		{Route: "POST /delete_access_token", What: "one's own", By: logins, Body: func(o Objects) map[string]any {
			return map[string]any{"token_id": o.Token}
		}},
		{Route: "POST /delete_access_token", What: "another's", By: []Caller{Admin}, Takes: TheRole, hidden: true, Body: othersToken},
	}
}

// removals are the changes that end or remove something, and those of users.
func removals() []Change {
	return []Change{
		{Route: "POST /delete_session", What: "one's own", By: logins, Body: func(o Objects) map[string]any {
			return map[string]any{"session_id": o.Second}
		}},
		{Route: "POST /delete_session", What: "another's", By: []Caller{Admin}, Takes: TheRole, hidden: true, Body: othersLogin},
		{Route: "POST /delete_session", What: "another's", By: []Caller{Manager}, Takes: TheRole, Body: othersLogin},

		{Route: "POST /delete_user_sessions", What: "another's", By: admins, Takes: TheRole, Body: other},
		{Route: "PATCH /update_user", What: "oneself", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Eve, "role": "admin", "disabled": false, "assistants": []string{o.Project}}
		}},
		{Route: "PATCH /update_user", What: "another", By: []Caller{Admin}, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Other, "role": "admin"}
		}},
		{Route: "PATCH /update_user", What: "another", By: []Caller{Manager}, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Other, "password": o.NewPassword}
		}},
		{Route: "POST /revoke_project", By: admins, Takes: TheRole, Body: func(o Objects) map[string]any {
			return map[string]any{"user_id": o.Other, "project_id": o.Project}
		}},
		{Route: "POST /delete_project", By: admins, Takes: TheRole, Body: project},
		{Route: "POST /delete_user", By: admins, Takes: TheRole, Body: other},

		{Route: "POST /change_password", By: logins, Body: func(o Objects) map[string]any {
			return map[string]any{"password": o.Password, "new_password": o.NewPassword}
		}},
		{Route: "POST /delete_user_sessions", What: "one's own", By: logins, Body: eve},
	}
}

func project(o Objects) map[string]any     { return map[string]any{"project_id": o.Project} }
func eve(o Objects) map[string]any         { return map[string]any{"user_id": o.Eve} }
func other(o Objects) map[string]any       { return map[string]any{"user_id": o.Other} }
func othersToken(o Objects) map[string]any { return map[string]any{"token_id": o.OthersToken} }
func othersLogin(o Objects) map[string]any { return map[string]any{"session_id": o.OthersLogin} }

// NotHeld returns the routes that read a body and need no row in Changes, each with the
// reason. A route that takes several methods has only its path.
func NotHeld() map[string]string {
	return map[string]string{
		"POST /login":                   "its body tells who calls",
		"POST /oidc/backchannel-logout": "its body tells who calls",
		"/voiceflow/:service/*path":     "it changes nothing here, and a forwarded call is ended when the right is gone",
	}
}
