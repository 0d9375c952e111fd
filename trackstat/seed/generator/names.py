"""Names that go together, by where a family's names come from; drawn together so that no list looks shuffled."""

from typing import NamedTuple


class Background(NamedTuple):
    female: tuple[str, ...]
    male: tuple[str, ...]
    last: tuple[str, ...]


def _names(female: str, male: str, last: str) -> Background:
    return Background(tuple(female.split()), tuple(male.split()), tuple(last.replace("_", " ").split(",")))


BACKGROUNDS = {
    "english": _names(
        "Abigail Alice Amanda Anne Beth Caroline Claire Diane Eleanor Emma Grace Hannah Janet Julia Karen Laura Lucy "
        "Margaret Nancy Olivia Rachel Ruth Sarah Susan Victoria Wendy",
        "Adam Alan Andrew Benjamin Charles Daniel David Edward Eric Frank George Henry Jack James Jonathan Mark "
        "Matthew Nathan Oliver Paul Philip Robert Samuel Stephen Thomas William",
        "Abbott,Baker,Bennett,Carter,Chapman,Clarke,Cooper,Davies,Ellis,Fletcher,Foster,Harding,Hughes,Jennings,Lawson,"
        "Marsh,Nichols,Palmer,Porter,Reed,Saunders,Stone,Turner,Walker,Webb,Winslow,Wright",
    ),
    "irish": _names(
        "Aisling Bridget Colleen Deirdre Eileen Erin Fiona Kathleen Maeve Maureen Moira Nora Patricia Sheila Siobhan",
        "Aidan Brendan Brian Cormac Declan Dermot Eamon Finn Kevin Liam Martin Owen Patrick Sean Terence",
        "Brennan,Byrne,Callahan,Connolly,Doherty,Donovan,Fitzgerald,Flynn,Gallagher,Kelleher,Lynch,McCarthy,McDermott,"
        "Murphy,O'Brien,O'Connor,O'Leary,Quinlan,Sullivan,Walsh",
    ),
    "italian": _names(
        "Angela Bianca Carla Concetta Daniela Francesca Gina Giulia Lucia Maria Paola Rosaria Sofia Teresa Valentina",
        "Alessandro Anthony Carlo Dominic Enzo Giovanni Joseph Luca Marco Michael Nicholas Pasquale Roberto Vito",
        "Bianchi,Caruso,Conti,D'Angelo,De_Luca,Esposito,Ferrara,Gallo,Lombardi,Mancini,Marino,Moretti,Ricci,Romano,Russo",
    ),
    "hispanic": _names(
        "Adriana Alejandra Ana Beatriz Camila Carmen Daniela Elena Gabriela Guadalupe Isabel Lucía Mariana Paloma Rosa "
        "Sofía Valeria Yolanda",
        "Alejandro Andrés Antonio Carlos Diego Eduardo Emilio Fernando Gabriel Hector Javier Jorge José Luis Manuel "
        "Mateo Miguel Rafael",
        "Aguilar,Castillo,Cruz,Delgado,Fernández,Flores,García,González,Gutiérrez,Hernández,Jiménez,López,Martínez,Medina,"
        "Mendoza,Morales,Núñez,Ortiz,Peña,Ramírez,Reyes,Rivera,Rodríguez,Torres,Vega",
    ),
    "african american": _names(
        "Aaliyah Alicia Angela Brianna Denise Ebony Imani Jasmine Keisha Latoya Monique Naomi Shanice Simone Yvonne",
        "Andre Anthony Cedric Darnell DeShawn Isaiah Jamal Jerome Kendrick Malcolm Marcus Maurice Reginald Terrence "
        "Tyrone Xavier",
        "Banks,Booker,Coleman,Dawson,Freeman,Gaines,Grant,Hairston,Jackson,Jefferson,Joseph,Mosley,Price,Richardson,"
        "Simmons,Tucker,Washington,Whitfield,Young",
    ),
    "chinese": _names(
        "Amy Fang Grace Hui Jing Li Lily Mei Min Ping Shu Wei-Ling Xiu Yan Ying",
        "Bin Chao David Feng Gang Hao Jian Jun Kevin Lei Ming Peng Tao Wei Yong",
        "Chan,Chen,Cheng,Fong,Gao,Huang,Lee,Li,Lin,Liu,Tang,Wang,Wong,Wu,Xu,Yang,Zhang,Zhou",
    ),
    "indian": _names(
        "Aditi Ananya Deepa Divya Kavita Lakshmi Meera Neha Nisha Pooja Priya Radha Shreya Sunita Vidya",
        "Amit Anand Arjun Deepak Karthik Manoj Naveen Nikhil Pradeep Rahul Rajesh Sanjay Suresh Vijay Vikram",
        "Agarwal,Bhat,Chopra,Desai,Gupta,Iyer,Joshi,Kapoor,Krishnan,Kumar,Mehta,Menon,Nair,Patel,Rao,Reddy,Shah,Sharma",
    ),
    "portuguese": _names(
        "Ana Beatriz Catarina Filomena Inês Joana Leonor Luísa Margarida Teresa",
        "António Bruno Duarte Filipe João Manuel Nuno Paulo Rui Tiago",
        "Almeida,Carvalho,Correia,Costa,Ferreira,Furtado,Medeiros,Oliveira,Pereira,Silva,Sousa,Teixeira",
    ),
    "haitian": _names(
        "Esther Fabiola Guerline Islande Marie Mirlande Nadège Rose-Marie Roseline Widline",
        "Emmanuel Evens Frantz Jean-Claude Jude Reginald Stanley Wilner Woodson Yves",
        "Baptiste,Charles,Desrosiers,Dorvil,Etienne,Jean-Louis,Joseph,Louis,Pierre,Saint-Fleur,Toussaint",
    ),
    "jewish": _names(
        "Adina Deborah Esther Leah Miriam Naomi Rebecca Rivka Shira Tamar",
        "Aaron Ari Avi Eli Ethan Gideon Isaac Jacob Noah Simon",
        "Adler,Cohen,Feldman,Friedman,Goldberg,Kaplan,Katz,Levy,Rosen,Rubin,Shapiro,Weiss",
    ),
    "arabic": _names(
        "Amira Aya Fatima Hana Huda Layla Leila Mariam Nadia Noor Rania Salma Yasmin Zaynab",
        "Ahmed Ali Bilal Hassan Ibrahim Karim Khalid Mahmoud Mustafa Omar Samir Tariq Yusuf Ziad",
        "Abboud,Awad,El-Amin,Farah,Haddad,Hakim,Hassan,Khalil,Khoury,Mansour,Nasser,Saleh",
    ),
    "vietnamese": _names(
        "Anh Bich Hang Hoa Huong Lan Linh Mai Ngoc Thao Thuy Trang",
        "An Bao Duc Dung Hai Hieu Hung Khoa Long Minh Quang Tuan",
        "Bui,Dang,Do,Ho,Hoang,Huynh,Le,Ngo,Nguyen,Pham,Phan,Tran,Vo,Vu",
    ),
    "polish": _names(
        "Agnieszka Anna Barbara Danuta Ewa Halina Joanna Katarzyna Magdalena Monika",
        "Adam Andrzej Jakub Jan Krzysztof Marek Pawel Piotr Tomasz Wojciech",
        "Dombrowski,Kaminski,Kowalski,Lewandowski,Nowak,Pawlak,Wisniewski,Wojcik,Zielinski",
    ),
    "german": _names(
        "Anna Christine Elise Erika Greta Heidi Ingrid Katrin Marlene Ursula",
        "Carl Dieter Erich Fritz Hans Karl Kurt Otto Rolf Walter",
        "Bauer,Becker,Braun,Fischer,Hoffman,Keller,Kramer,Meyer,Schneider,Schultz,Vogel,Weber,Zimmerman",
    ),
    "korean": _names(
        "Eun-ji Grace Hana Hye-jin Ji-woo Min-seo Seo-yeon Soo-jin Sun-hee Yuna",
        "Daniel Dong-hyun Hyun-woo Ji-hoon Joon Min-jun Sang-woo Seung-ho Sung-min Young-ho",
        "Choi,Han,Jung,Kang,Kim,Lee,Lim,Park,Shin,Yoon",
    ),
    "navajo": _names(
        "Alta Bernice Darlene Lorraine Marilyn Nizhoni Roselyn Shandiin Verna",
        "Alvin Delbert Franklin Harrison Leland Raymond Shawn Wilson",
        "Begay,Benally,Chee,Nez,Tsosie,Yazzie",
    ),
}  # fmt: skip

NICKNAMES = {
    "Abigail": "Abby", "Andrew": "Andy", "Anthony": "Tony", "Antonio": "Toño", "Benjamin": "Ben", "Charles": "Charlie",
    "Daniel": "Dan", "Eduardo": "Lalo", "Edward": "Ted", "Eleanor": "Ellie", "Elizabeth": "Liz", "Fernando": "Nando",
    "Guadalupe": "Lupe", "Jonathan": "Jon", "José": "Pepe", "Joseph": "Joe", "Kathleen": "Kathy", "Margaret": "Peggy",
    "Matthew": "Matt", "Michael": "Mike", "Nicholas": "Nick", "Patricia": "Pat", "Philip": "Phil", "Rebecca": "Becky",
    "Robert": "Bob", "Samuel": "Sam", "Susan": "Sue", "Thomas": "Tom", "Victoria": "Vicky", "William": "Bill",
}  # fmt: skip

STREETS = (
    "Maple Street", "Elm Street", "Oak Avenue", "Cedar Lane", "Pleasant Street", "Washington Street", "Highland Avenue",
    "Park Street", "Broadway", "School Street", "Summer Street", "Winter Street", "Chestnut Street", "Walnut Street",
    "Pearl Street", "Prospect Street", "Lincoln Street", "Franklin Street", "Grove Street", "Spring Street",
    "River Road", "Hillside Avenue", "Central Street", "Garden Street", "Mount Vernon Street",
)  # fmt: skip
