"""English words that say nothing of what a text is about, and those that every post on Reddit is made of.

Written down by hand; folded, with a plain apostrophe, as :mod:`api.terms` makes words.
"""

from __future__ import annotations

from typing import Final

_GRAMMAR: Final = """
a about above across actually after afterwards again against ago ahead all almost along already also although always
am among an and another any anybody anyhow anymore anyone anything anyway anyways anywhere apparently are aren't
around as aside at away back basically be became because become becomes becoming been before beforehand behind being
below beside besides between beyond both but by came can can't cannot cause certain certainly come comes coming could
couldn't currently definitely despite did didn't do does doesn't doing don't done down during each either else
elsewhere enough entire entirely especially etc even ever every everybody everyone everything everywhere exactly
except fairly far few finally first five for former four from full fully further generally get gets getting give given
gives giving go goes going gone gonna got gotten had hadn't half hardly has hasn't have haven't having he he'd he'll
he's hence her here here's hers herself him himself his how how's however i i'd i'll i'm i've if in indeed instead
into is isn't it it'd it'll it's its itself just keep keeps kept kind know known knows last lately later least less
lest let let's like likely little long look looking looks lot lots made mainly make makes making many may maybe me
mean means meant meanwhile might mine more moreover most mostly much must mustn't my myself namely near nearly
necessarily need needed needs neither never nevertheless new next no nobody non none nor normally not nothing now
nowhere obviously of off often oh ok okay old on once one ones only onto or other others otherwise ought our ours
ourselves out outside over overall own part particular particularly per perhaps please plenty possible possibly pretty
previously probably put quite rather really recently regarding regardless said same saw say saying says second see
seeing seem seemed seems seen several shall she she'd she'll she's should shouldn't simply since six so some somebody
somehow someone something sometimes somewhat somewhere soon sort still stuff such sure take taken takes taking tell
ten than thank thanks that that'd that'll that's thats the their theirs them themselves then there there's thereafter
thereby therefore these they they'd they'll they're they've thing things think thinking this those though thought
three through throughout thus till to together told too took toward towards tried tries truly try trying twice two
under unless unlike until up upon us use used useful uses using usually various very via want wanted wants was wasn't
way ways we we'd we'll we're we've well went were weren't what what's whatever when when's whenever where where's
whereas wherever whether which whichever while who who'd who's whoever whole whom whose why why's will with within
without won't wonder wondering wont would wouldn't wow yeah year years yep yes yet you you'd you'll you're you've your
yours yourself yourselves
"""
#: Grammatically words like any other; in posts they are glue.
_GLUE: Final = """
able add added advice ain't april ask asked asking august best better big bit came case cool couldve couple cuz day
days december didnt doesnt dont due end february feel feels felt find found friday good gotta great guess guy guys
hear heard help hey hope hours hows idea idk im imho imo isnt issue ive january july june kinda let's lets live lmao
lol love main man march matter minutes monday month months nice november number october people person place point
problem question questions quick read real right run running saturday september set small start started starting stop
suggest suggestion suggestions sunday talk talking tbh theres theyre thursday time times today tomorrow tonight
tuesday turn type u understand ur wait wanna wasnt wednesday week weekend weeks whats wish work worked working works
world worth wouldnt write wrong yesterday youre
"""
_REDDIT: Final = """
amp comment comments deleted discussion edit edited faq gt http https link linked links lt mod moderator moderators
nbsp op post posted posting posts quot reddit redditor redditors removed repost self sub submission submit submitted
subreddit subreddits subs thread threads title tl tldr tl;dr upvote upvotes users wiki www x200b
"""

STOP_WORDS: Final = frozenset((_GRAMMAR + _GLUE + _REDDIT).split())
