package browser

import (
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

// keyboard is a person without a mouse. Nothing here clicks.
type keyboard struct{ *Tab }

// steps is how many times a person presses Tab at most to get anywhere on a page.
const steps = 80

// use puts the focus on a control and presses a key.
func (k keyboard) use(name, key string) {
	k.t.Helper()
	k.TabTo(name, steps)
	k.Press(key)
}

// lead is use for a control that leads to a page.
func (k keyboard) lead(name string) {
	k.t.Helper()
	k.TabTo(name, steps)
	k.PressAndLoad("Enter")
}

// write puts the focus on the field with the name, replaces what it holds, and stays there.
func (k keyboard) write(field, text string) {
	k.t.Helper()
	k.to(field)
	k.Press("Control+a")
	k.Type(text)
}

// to puts the focus on the field with the name.
func (k keyboard) to(field string) {
	k.t.Helper()
	for range steps {
		if must[string](k.Tab, `document.activeElement?.name ?? ""`) == field {
			return
		}
		k.Press("Tab")
	}
	k.fail("Tab does not reach the field " + field)
}

// TestKeyboardAlone does what an admin and a member do, with Tab, Enter, Space and Escape alone.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	held := make(gate)
	pizza, trains := dialog("Pizza"), voiceflowtest.NewProject("Trains", "main")
	pizza.Pace = held.pace
	w := newFlows(t, pizza, trains)
	w.program().add(trains)
	w.bothWays(func(w *world, s Settings, tag string) {
		a := w.assistants[0]
		name := "cleo-" + tag
		k := keyboard{w.someone(s)}
		k.Open("/console/login")
		k.write("username", "ada")
		k.write("password", adminPassword)
		k.PressAndLoad("Enter") // a field sends its form
		k.WaitURL("/console/")

		k.TabTo("Skip to the content", 1)
		k.Press("Enter")
		k.WaitURL("/console/#main")
		k.Open("/console/")

		k.lead("Assistants")
		k.lead("Add an assistant")
		k.write("version_id", "main")
		k.write("voiceflow_project_id", a.ProjectID)
		k.write("token", a.Key)
		k.lead("Add the assistant")
		k.WaitText("Pizza was added.")

		k.lead("Users")
		k.lead("Add a user")
		k.write("username", name)
		k.write("password", memberPassword)
		k.use("Trains", "Space")
		k.lead("Add the user")
		k.WaitText(name+" was created.", "Trains")
		k.lead("Grant an assistant")
		k.to("project_id")
		k.Press("P") // chooses Pizza
		k.use("analytics", "Space")
		k.lead("Grant the assistant")
		k.WaitText("Pizza is granted to "+name, "converse, analytics")
		k.lead("Revoke Trains")
		k.WaitText("The grant was revoked.")

		k.lead("Access tokens")
		k.lead("Create an access token")
		k.write("name", "nightly "+tag)
		k.to("project_id")
		k.Press("P")
		k.write("password", adminPassword)
		k.Press("Shift+Tab", "Tab")
		k.lead("Create the access token")
		k.WaitText("flk_")
		if !s.NoScripts {
			wantCopied(k.Tab, func() { k.use("Copy", "Enter") })
		}
		k.lead("I have copied it")
		k.lead("End nightly " + tag)
		k.WaitText("The access token was ended.")

		cleo := keyboard{w.someone(s)}
		cleo.Open("/console/login")
		cleo.write("username", name)
		cleo.write("password", memberPassword)
		cleo.PressAndLoad("Enter")
		cleo.lead("Talk Pizza")
		cleo.write("message", "good morning")
		if s.NoScripts {
			cleo.lead("Send")
		} else {
			cleo.Press("Enter")
		}
		cleo.WaitText("You said: good morning")
		if !s.NoScripts {
			cleo.waitFocus("Your message")
			cleo.Type("slow")
			cleo.Press("Enter")
			held.release(w.t)
			cleo.WaitText("1 of 5", "The assistant is answering.")
			cleo.Press("Escape")
			cleo.WaitText("You stopped the answer.")
			cleo.WaitGone("The assistant is answering.", "2 of 5")
			cleo.waitFocus("Your message")
		}
		cleo.lead("Log out")
		cleo.WaitText("You are logged out.")

		k.lead("Users")
		k.write("username", name)
		k.PressAndLoad("Enter")
		k.lead("Delete " + name + "…")
		k.lead("Delete " + name)
		k.WaitText(name + " was deleted.")

		k.lead("Assistants")
		k.write("q", "izz")
		k.PressAndLoad("Enter")
		k.lead("Pizza")
		k.write("project_name", "Pizza")
		k.lead("Delete the assistant")
		k.WaitText("Pizza is deleted here.")
		k.lead("Log out")
		k.WaitText("You are logged out.")
	})
}

// TestMenuByKeyboard opens the menu of a phone, goes to a page, and skips the menu.
func TestMenuByKeyboard(t *testing.T) {
	t.Parallel()
	w := newFlows(t)
	w.bothWays(func(w *world, s Settings, _ string) {
		s.Width, s.Height = 390, 844
		k := keyboard{w.ben(s)}
		k.TabTo("Menu", 5)
		k.Press("Enter")
		k.WaitFor("the menu is open", `document.querySelector("header details").open`)
		k.lead("Sessions")
		k.WaitURL("/console/sessions")
	})
}
