"""Who talks in simulated chats, and what they say."""

PEOPLE = (
    ("ada", "Ada Nwosu"),
    ("bruno", "Bruno Castel"),
    ("chen", "Chen Wei"),
    ("dalia", "Dalia Haddad"),
    ("emil", "Emil Sørensen"),
    ("farah", "Farah Rahimi"),
    ("goran", "Goran Petrić"),
    ("hana", "Hana Kimura"),
    ("idris", "Idris Bello"),
    ("jutta", "Jutta Maier"),
    ("kofi", "Kofi Mensah"),
    ("lena", "Lena Vos"),
    ("mateo", "Mateo Rivas"),
    ("nour", "Nour El-Sayed"),
    ("olga", "Ольга Иванова"),
    ("priya", "प्रिया शर्मा"),
)

TALK = (
    "Good morning!",
    "Are we still on for tonight?",
    "I will be ten minutes late, sorry",
    "The train stands still again 🙄",
    "Could you send me the address once more?",
    "Sure, it is the red door beside the bakery.",
    "Perfect, thanks!",
    "Did anybody book the table?",
    "Yes, for seven o'clock, under my name.",
    "👍",
    "Das klingt gut, ich bin dabei.",
    "これで決まりですね。",
    "نلتقي هناك",
    "I can bring the salad.\nAnd bread, if nobody else does.",
    "Has the parcel arrived?",
    'Not yet. The tracking page says "tomorrow", as it did yesterday.',
    "Let us talk about the budget on Monday.",
    "The draft is in the shared folder, comments welcome.",
    "I have read it: page 3 needs another look.",
    "🎉🎉🎉",
    "Who has the keys?",
    "I left them with the neighbours.",
    "See you there!",
    "Good night, everyone.",
)

QUESTIONS = (
    "My order 10{number} has not arrived yet.",
    "I was charged twice for order 10{number}.",
    "How do I change the address of order 10{number}?",
    "The size of order 10{number} does not fit, can I swap it?",
    'The app says "payment refused" for order 10{number}.',
)

ANSWERS = (
    "Thank you for writing, let me look into it.",
    "I have found it: it left our warehouse this morning.",
    "I have asked the payments team, one moment please.",
    "A new label is on its way to you by e-mail.",
    "Is there anything else that I can do?",
)

UNWANTED = (
    "CHEAP WATCHES, click here before midnight!!!",
    "Send me your password and I double your points.",
    "You are a complete idiot.",
)

GROUP_NAMES = (
    "Hiking club",
    "Book circle",
    "House 12",
    "Release party",
    "Ski weekend",
    "Class of 2010",
)

REACTIONS = ("👍", "❤️", "😂", "🎉", "😮", "🙏")
PLATFORMS = ("web", "ios", "android")
