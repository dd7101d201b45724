package browser

import (
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// TestFirstAnswer goes from an empty folder to the first turn of a member that is answered. Nothing
// but the program that serves runs: there is no other command. The member has a phone.
func TestFirstAnswer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		noScripts bool
	}{{"with scripts", false}, {"without scripts", true}} {
		t.Run(tc.name, func(t *testing.T) {
			a := dialog("Pizza")
			w := newWorld(t, []voiceflowtest.Assistant{a})

			ada := w.someone(Settings{NoScripts: tc.noScripts})
			links := 1 // the one that the program prints
			ada.Open(w.setupLink())
			ada.Fill("username", "ada")
			ada.Fill("password", adminPassword)
			ada.Submit("Create the admin")
			ada.WaitText("First steps")
			ada.Follow("Add an assistant")
			fillAssistant(ada, a)
			ada.Submit("Add the assistant")
			ada.WaitText("Pizza was added")
			ada.Follow("Users")
			ada.Follow("Add a user")
			ada.Fill("username", "ben")
			ada.Fill("password", memberPassword)
			ada.Click("Pizza")
			ada.Submit("Add the user")
			ada.WaitText("ben was created")

			ben := w.someone(Settings{NoScripts: tc.noScripts, Width: 390, Height: 844})
			links++ // the address that ada tells
			ben.Open("/console/login")
			ben.Fill("username", "ben")
			ben.Fill("password", memberPassword)
			ben.Submit("Log in")
			ben.Follow("Talk Pizza")
			ben.Fill("message", "Which pizzas do you have?")
			if tc.noScripts {
				ben.Submit("Send")
			} else {
				ben.Click("Send")
				links++ // the form that the script sends
			}
			ben.WaitText("You said: Which pizzas do you have?")
			wantInteractions(t, 12, links, ada.Interactions(), ben.Interactions())
			ben.Check("main", "navigation")
		})
	}
}
