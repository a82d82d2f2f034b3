"""Erasing a person who takes part in somebody else's request: what names them goes, the request stays its owner's."""

from intake_world import World, raw_mail

EVE = "eve@else.example"


async def test_the_request_of_somebody_else_forgets_who_took_part(world: World) -> None:
    """The subject loses the name, and no text that is kept sealed can be put back; the owner's words stay."""
    await world.person("eve", name="Eve Else", email=EVE)
    ticket = await world.submit(subject="Eve Else can't sign in", body="She asks for help.")
    mail = await world.mail(raw_mail(f"Re: [{ticket['number']}] x", "Login: eve\nPassword: Zq7!kanarie-Vx3", EVE), EVE)
    let_in = await world.post(f"/v1/mails/{mail['id']}/accept", {"participant": True})
    assert let_in.status_code == 200, let_in.text
    await world.tell("person.erased", "person/eve", id="eve")
    await world.runtime.settle()
    after = await world.ticket(ticket["id"])
    assert (after["subject"], after["participants"]) == ("[erased] can't sign in", ["clara@shop.example"])
    bodies = [message["body"] for message in await world.messages(ticket)]
    assert bodies[:2] == ["She asks for help.", "[erased]"]
    (held,) = (await world.get(f"/v1/tickets/{ticket['id']}/held-texts")).json()["items"]
    assert held["status"] == "purged"
    ((content,),) = world.rows("SELECT content FROM held_text")
    assert not any(content)
